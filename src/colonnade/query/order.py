"""The order of a list, and what comes after a place in it."""

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


def comes_after(keys: Sequence[OrderKey], nulls: Sequence[bool]) -> sa.ColumnElement[bool]:
    """Let through the rows that come after a place in the order.

    Args:
        keys: of the order.
        nulls: of each key, whether its value at that place is NULL; the others' values are bound as `k0`, `k1`, ...
    """
    elements = [sortable(key.column.column) for key in keys]
    bound = [sa.bindparam(f"k{index}", type_=key.column.column.type) for index, key in enumerate(keys)]
    if len(keys) > 1 and len({key.descending for key in keys}) == 1 and not any(key.column.nullable for key in keys):
        # One comparison of rows is one range of an index over the keys, where an OR of the cases would be a filter.
        place, row = sa.tuple_(*bound), sa.tuple_(*elements)
        beyond = row < place if keys[0].descending else row > place
    else:
        beyond = sa.false()
        for key, element, value, null in reversed(list(zip(keys, elements, bound, nulls, strict=True))):
            equal = element.is_(None) if null else element == value
            beyond = sa.or_(_beyond(key, element, value, null), sa.and_(equal, beyond))
    return sa.and_(*_range(keys[0], elements[0], bound[0], nulls[0]), beyond)


def _beyond(
    key: OrderKey, element: sa.ColumnElement[Any], value: sa.BindParameter[Any], null: bool
) -> sa.ColumnElement[bool]:
    """Compare by one key alone."""
    if null:
        return element.is_not(None) if key.descending else sa.false()
    if key.descending:
        return element < value
    return sa.or_(element > value, element.is_(None)) if key.column.nullable else element > value


def _range(
    key: OrderKey, element: sa.ColumnElement[Any], value: sa.BindParameter[Any], null: bool
) -> Iterator[sa.ColumnElement[bool]]:
    """Say again, of the first key alone, where the rows begin: an index over it is entered there, however deep."""
    if null and not key.descending:
        yield element.is_(None)
    elif not null and key.descending:
        yield element <= value
    elif not null and not key.column.nullable:
        yield element >= value
