"""From rows to the objects of the answer: one function a plan, made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from colonnade.query.plan import Branch, Slot
from colonnade.query.wire import Converter, converter_of

Row: TypeAlias = "Sequence[Any]"
Shown: TypeAlias = "dict[str, object]"
Shaper: TypeAlias = "Callable[[Row], Shown]"


def make_shaper(slots: Sequence[Slot], keys: Sequence[str], dialect: sa.Dialect | None) -> Shaper:
    """Make the function that turns a row into the object that the wire shows.

    Args:
        slots: what the row's values are, in its order.
        keys: the object's keys, in its order; those of to-many relations stay None until `attach`.
        dialect: whose driver gave the row; None when SQLAlchemy has made Python values of it.
    """
    shown = [slot for slot in slots if not slot.hidden]
    if [slot.path for slot in shown] == [(key,) for key in keys] and list(slots[: len(shown)]) == shown:
        return _flat(tuple(keys), [(slot.path[0], _converter(slot, dialect)) for slot in shown])
    return _deep(slots, tuple(keys), dialect)


def _converter(slot: Slot, dialect: sa.Dialect | None) -> Converter | None:
    return None if dialect is None else converter_of(slot.column, dialect)


def _flat(keys: tuple[str, ...], converters: Iterable[tuple[str, Converter | None]]) -> Shaper:
    """The plain row, which nearly all are: hidden columns stand behind the shown ones and fall off the zip."""
    needed = [(key, convert) for key, convert in converters if convert is not None]

    def shape(row: Row) -> Shown:
        shown: Shown = dict(zip(keys, row))  # noqa: B905  # hidden columns stand behind the keys
        for key, convert in needed:
            if (value := shown[key]) is not None:
                shown[key] = convert(value)
        return shown

    return shape


def _deep(slots: Sequence[Slot], keys: tuple[str, ...], dialect: sa.Dialect | None) -> Shaper:
    """A row with to-one relations inside: their columns become an object, or null when their key is NULL."""
    inner: dict[str, list[tuple[int, Slot]]] = defaultdict(list)
    presence: dict[str, int] = {}
    own: list[tuple[int, str, Converter | None]] = []
    for index, slot in enumerate(slots):
        if len(slot.path) == 2:
            inner[slot.path[0]].append((index, slot))
        elif slot.hidden:
            presence[slot.path[0]] = index
        else:
            own.append((index, slot.path[0], _converter(slot, dialect)))
    nested = [
        (key, presence[key], [(index, slot.path[1], _converter(slot, dialect)) for index, slot in found])
        for key, found in inner.items()
    ]

    def shape(row: Row) -> Shown:
        shown: Shown = dict.fromkeys(keys)
        _fill(shown, row, own)
        for key, present, columns in nested:
            if row[present] is not None:
                shown[key] = _fill({}, row, columns)
        return shown

    return shape


def _fill(shown: Shown, row: Row, columns: Iterable[tuple[int, str, Converter | None]]) -> Shown:
    for index, key, convert in columns:
        value = row[index]
        shown[key] = value if value is None or convert is None else convert(value)
    return shown


def make_branch_shaper(branch: Branch, dialect: sa.Dialect | None) -> Shaper:
    """Make the shaper of a to-many relation's rows."""
    return make_shaper(branch.slots, branch.nested.projection.keys, dialect)


def attach(shown: Sequence[Shown], rows: Sequence[Row], branch: Branch, children: Sequence[Row], shape: Shaper) -> None:
    """Hang the children of a page below their parents, in the order in which they came.

    Args:
        shown: the parents' objects, changed in place.
        rows: the rows that they were made of, which hold the parents' keys.
        branch: the relation.
        children: its rows; the last value of each is the parent's key.
        shape: what turns a child's row into an object.
    """
    by_parent: Mapping[Any, list[Shown]] = defaultdict(list)
    for child in children:
        by_parent[child[len(branch.slots) - 1]].append(shape(child))
    for parent, row in zip(shown, rows, strict=True):
        parent[branch.nested.key] = by_parent.get(row[branch.parent], [])


def parent_keys(rows: Sequence[Row], branch: Branch) -> list[object]:
    """List the keys of a page's parents, each once."""
    return list(dict.fromkeys(row[branch.parent] for row in rows))
