"""Planning a change of one row: one statement that gives the new row back, where the dialect can; two elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from colonnade.models.facts import ColumnFacts, TableFacts
from colonnade.query.selection import Selection

RETURNING = frozenset({"postgresql", "sqlite"})
"""Dialects whose INSERT, UPDATE and DELETE all give rows back; MariaDB's UPDATE does not."""


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How to change a row and see it.

    Attributes:
        statements: run in one transaction; the last one gives the row's columns, as `Selection` has them, if there is one.
        factories: bound name -> makes the value that the client does not give: times, UUIDs, defaults.
    """

    statements: tuple[sa.Executable, ...]
    factories: Mapping[str, Callable[[], object]]


def plan_insert(facts: TableFacts, read: Selection, keys: tuple[str, ...], dialect: str) -> WritePlan:
    """Plan the creation of a row.

    Args:
        facts: the table.
        read: which columns of it are given back.
        keys: of the values that are given; they are bound as `v_<key>`.
        dialect: the database's name.
    """
    made = {column.key: column for column in facts.columns.values() if column.default and column.key not in keys}
    columns = [*(facts.columns[key] for key in keys), *made.values()]
    insert = sa.insert(facts.table).values({column.column: _bound(column) for column in columns})
    factories = _factories(made, lambda column: column.default)
    if dialect in RETURNING:
        return WritePlan((insert.returning(*read.columns),), factories)
    identity = facts.identity
    # The connection's own last number, not the table's: another's insert does not disturb it.
    key = _bound(identity) if identity.key in keys or identity.key in made else sa.func.last_insert_id()
    return WritePlan((insert, read.select().where(identity.column == key)), factories)


def plan_update(facts: TableFacts, read: Selection, keys: tuple[str, ...], dialect: str) -> WritePlan:
    """Plan a change of the columns `keys` of the row whose id is bound as `id`; the version goes up by one with it."""
    made = {column.key: column for column in facts.columns.values() if column.on_update and column.key not in keys}
    columns = [*(facts.columns[key] for key in keys), *made.values()]
    values: dict[Any, Any] = {column.column: _bound(column) for column in columns}
    if facts.version is not None:
        values[facts.version.column] = facts.version.column + 1
    identity = facts.identity.column
    chosen = identity == sa.bindparam("id", type_=identity.type)
    update = sa.update(facts.table).where(chosen).values(values)
    factories = _factories(made, lambda column: column.on_update)
    if dialect in RETURNING:
        return WritePlan((update.returning(*read.columns),), factories)
    return WritePlan((update, read.select().where(chosen)), factories)


def plan_delete(facts: TableFacts, dialect: str) -> WritePlan:
    """Plan the removal of the row whose id is bound as `id`; a row or a count of one says that it was there."""
    identity = facts.identity.column
    delete = sa.delete(facts.table).where(identity == sa.bindparam("id", type_=identity.type))
    return WritePlan((delete.returning(identity) if dialect in RETURNING else delete,), {})


def _bound(column: ColumnFacts) -> sa.BindParameter[Any]:
    return sa.bindparam(f"v_{column.key}", type_=column.column.type)


def _factories(
    columns: Mapping[str, ColumnFacts], choose: Callable[[ColumnFacts], Callable[[], object] | None]
) -> dict[str, Callable[[], object]]:
    return {f"v_{key}": factory for key, column in columns.items() if (factory := choose(column))}
