"""Counting the rows that conditions let through, and what the number depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from colonnade.models.facts import TableFacts


class Scope(NamedTuple):
    """What a total depends on.

    Attributes:
        table: whose rows are counted.
        whole: every new row counts: nothing is asked of a row but, perhaps, that it is not deleted.
        columns: of that table, or of any by that name, which the conditions look at.
        others: further tables that the conditions look at.
        parents: tables whose deleted rows take rows of this one with them, or change them.
    """

    table: str
    whole: bool
    columns: frozenset[str]
    others: frozenset[str]
    parents: frozenset[str]


@dataclass(frozen=True, slots=True)
class CountPlan:
    """How to count.

    Attributes:
        count: gives the number.
        rows: selects what is counted, for a database that estimates how many it would give.
        scope: what the number depends on.
    """

    count: sa.Select[Any]
    rows: sa.Select[Any]
    scope: Scope


def plan_count(facts: TableFacts, conditions: list[sa.ColumnElement[bool]], *, whole: bool) -> CountPlan:
    """Plan the counting of a table's rows.

    Args:
        facts: the table.
        conditions: that a row has to meet.
        whole: every new row meets them.
    """
    table = facts.table
    columns = {element for condition in conditions for element in visitors.iterate(condition)}
    looked_at = [element for element in columns if isinstance(element, sa.Column)]
    tables = {element for element in columns if isinstance(element, sa.Table)}
    tables |= {one.table for one in looked_at}
    scope = Scope(
        table.name,
        whole,
        frozenset(one.name for one in looked_at),
        frozenset(one.name for one in tables if one is not table),
        frozenset(_parents(table, set())),
    )
    return CountPlan(
        sa.select(sa.func.count()).select_from(table).where(*conditions),
        sa.select(sa.literal_column("1")).select_from(table).where(*conditions),
        scope,
    )


def _parents(table: sa.Table, seen: set[str]) -> Iterator[str]:
    """Follow the foreign keys that act when what they refer to is deleted."""
    for key in table.foreign_keys:
        if (key.ondelete or "").upper() in {"CASCADE", "SET NULL", "SET DEFAULT"} and key.column.table.name not in seen:
            seen.add(key.column.table.name)
            yield key.column.table.name
            yield from _parents(key.column.table, seen)
