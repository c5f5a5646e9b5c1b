"""The order of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from colonnade.models.facts import ColumnFacts, TableFacts
from colonnade.query.operators import nulls_as_greatest, sortable
from colonnade.query.request import SortKey


class OrderKey(NamedTuple):
    """One column of an order."""

    column: ColumnFacts
    descending: bool


def order_keys(facts: TableFacts, sort: tuple[SortKey, ...]) -> tuple[OrderKey, ...]:
    """Give the columns of an order, the primary key the last, in the direction of the one before it.

    With it no two rows are equal, so that a page's border never falls between equal rows at random.
    """
    keys: list[OrderKey] = []
    for key in sort:
        keys.append(OrderKey(facts.columns[key.field], key.descending))
        if key.field == facts.identity.key:
            return tuple(keys)
    return (*keys, OrderKey(facts.identity, keys[-1].descending if keys else False))


def order_by(keys: Sequence[OrderKey]) -> Iterator[sa.ColumnElement[Any]]:
    """Order by the keys; NULL counts as greater than every value, as PostgreSQL has it, and the others are told so."""
    for column, descending in keys:
        element = sortable(column.column)
        if column.nullable:
            yield nulls_as_greatest(element, descending)
        else:
            yield element.desc() if descending else element.asc()
