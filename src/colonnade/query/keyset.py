"""What comes after a place in an order, said so that an index over the order's keys is entered at that place.

That is stretches, one behind the other: equal in all keys but the last one and beyond in that, equal in one key less, and
so on, the NULLs of a key in a stretch of their own. Each is one range of an index over its keys and gives a page of rows
at most, so that a step costs the same at any depth. An OR of all of them would read, or sort, the whole table; and a
comparison of rows, `(a, id) > (1, 2)`, knows no NULLs and is a range to PostgreSQL alone.

Where a nullable key follows another one, SQLite and MariaDB, whose indexes have NULLs first, sort the equals of that other.
Parting such a stretch by the key's NULLs was tried: where there are none, the rest of the table is read in search of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from colonnade.models.facts import TableFacts
from colonnade.query.operators import sortable
from colonnade.query.order import OrderKey, order_by

Conditions = Sequence[sa.ColumnElement[bool]]


class _Stretch(NamedTuple):
    """Some of the rows after a place, which follow each other.

    Attributes:
        conditions: on them.
        order: in which they follow.
    """

    conditions: tuple[sa.ColumnElement[bool], ...]
    order: tuple[sa.ColumnElement[Any], ...]


def narrow_walk(
    facts: TableFacts,
    keys: Sequence[OrderKey],
    nulls: Sequence[bool] | None,
    conditions: Conditions,
    limit: sa.ColumnElement[int],
) -> Conditions:
    """Let through the rows of a walk's next step, and at most as many rows beside them as its stretches have.

    Args:
        facts: the table.
        keys: of the order.
        nulls: of each key, whether its value at the place is NULL, the others' values being bound as `k0`, `k1`, ...; None
            at the beginning of the walk.
        conditions: on every row.
        limit: rows that are asked for.
    """
    if nulls is None and not keys[0].column.nullable:
        return conditions
    if nulls is not None and len(keys) == 1:
        return [*conditions, _beyond(0, keys[0])]
    identity = facts.identity.column
    parts: list[sa.Select[Any]] = []
    for stretch in _from_the_start(keys) if nulls is None else _stretches(keys, nulls):
        part = sa.select(identity).where(*conditions, *stretch.conditions).order_by(*stretch.order).limit(limit)
        # SQLite takes ORDER BY and LIMIT inside a UNION only in a subquery.
        parts.append(sa.select(part.subquery(f"stretch_{len(parts)}").c[identity.key]))
    if not parts:
        return [sa.false()]
    return [identity.in_(sa.select(sa.union_all(*parts).subquery("step").c[identity.key]))]


def _stretches(keys: Sequence[OrderKey], nulls: Sequence[bool]) -> Iterator[_Stretch]:
    """Give what comes after a place, the nearest first: with all keys but the last one equal, then with one less."""
    for index in reversed(range(len(keys))):
        equal = tuple(_equal(at, keys[at], nulls[at]) for at in range(index))
        # An order over NULLs alone is none. But PostgreSQL does not know that they are alike, and would walk another index
        # that has the order, in search of rows that may not be there, before it takes the one over these keys.
        lacking = tuple(_directed(keys[at]) for at in range(index) if nulls[at])
        key, column = keys[index], sortable(keys[index].column.column)
        if not nulls[index]:
            yield _Stretch((*equal, _beyond(index, key)), (*lacking, *_order(keys[index:])))
        elif key.descending:
            yield _Stretch((*equal, column.is_not(None)), (*lacking, *_order(keys[index:])))
        if key.column.nullable and not key.descending and not nulls[index]:
            yield _Stretch((*equal, column.is_(None)), (*lacking, *_order(keys[index:])))


def _from_the_start(keys: Sequence[OrderKey]) -> Iterator[_Stretch]:
    """Give the rows with a first key and those without one, in the sequence of the order."""
    column = sortable(keys[0].column.column)
    there = _Stretch((column.is_not(None),), _order(keys))
    lacking = _Stretch((column.is_(None),), _order(keys))
    yield from (lacking, there) if keys[0].descending else (there, lacking)


def _order(keys: Sequence[OrderKey]) -> tuple[sa.ColumnElement[Any], ...]:
    """Order by keys the first of which has no NULLs, or nothing else: without a word on them, so that an index serves it."""
    return (_directed(keys[0]), *order_by(keys[1:]))


def _directed(key: OrderKey) -> sa.ColumnElement[Any]:
    column = sortable(key.column.column)
    return column.desc() if key.descending else column.asc()


def _equal(index: int, key: OrderKey, null: bool) -> sa.ColumnElement[bool]:
    column = sortable(key.column.column)
    return column.is_(None) if null else column == _bound(index, key)


def _beyond(index: int, key: OrderKey) -> sa.ColumnElement[bool]:
    column, place = sortable(key.column.column), _bound(index, key)
    return column < place if key.descending else column > place


def _bound(index: int, key: OrderKey) -> sa.BindParameter[Any]:
    return sa.bindparam(f"k{index}", type_=key.column.column.type)
