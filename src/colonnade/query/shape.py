"""From rows to the objects of the answer: one function a statement, made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from colonnade.query.selection import Branch, Node
from colonnade.query.wire import Converter, converter_of

Row: TypeAlias = "Sequence[Any]"
Shown: TypeAlias = "dict[str, Any]"
Shaper: TypeAlias = "Callable[[Sequence[Row]], list[Shown]]"


def make_shaper(node: Node, dialect: sa.Dialect) -> Shaper:
    """Make the function that turns the rows of a statement into the objects that the wire shows.

    Args:
        node: what the object is; the keys of its branches stay None until `hang`.
        dialect: whose driver gives the rows.
    """
    converters = [(place.key, convert) for place in node.places if (convert := converter_of(place.column, dialect))]
    if tuple(place.key for place in node.places) == node.keys:
        return _plain(node.keys, converters)
    fill = _filler(node, dialect)
    return lambda rows: [fill(row) for row in rows]


def _plain(keys: tuple[str, ...], converters: Sequence[tuple[str, Converter]]) -> Shaper:
    """The plain row, which nearly all are: hidden columns stand behind the shown ones and fall off the zip."""
    if not converters:
        return lambda rows: [dict(zip(keys, row)) for row in rows]  # noqa: B905  # see above

    def shape(rows: Sequence[Row]) -> list[Shown]:
        shown = []
        for row in rows:
            one: Shown = dict(zip(keys, row))  # noqa: B905  # see above
            for key, convert in converters:
                if (value := one[key]) is not None:
                    one[key] = convert(value)
            shown.append(one)
        return shown

    return shape


def _filler(node: Node, dialect: sa.Dialect) -> Callable[[Row], Shown]:
    """A row with to-one relations inside: their columns become an object, or null when their key is NULL."""
    own = [(place.index, place.key, converter_of(place.column, dialect)) for place in node.places]
    inner = [(key, present, _filler(child, dialect)) for key, present, child in node.inner]

    def fill(row: Row) -> Shown:
        shown: Shown = dict.fromkeys(node.keys)
        for index, key, convert in own:
            value = row[index]
            shown[key] = value if value is None or convert is None else convert(value)
        for key, present, fill_inner in inner:
            if row[present] is not None:
                shown[key] = fill_inner(row)
        return shown

    return fill


def parent_keys(rows: Sequence[Row], branch: Branch) -> list[object]:
    """List the keys of a branch's parents, each once; a parent that is not there has none."""
    return list(dict.fromkeys(key for row in rows if (key := row[branch.parent]) is not None))


def hang(
    parents: tuple[Sequence[Shown], Sequence[Row]],
    at: tuple[str, ...],
    branch: Branch,
    children: tuple[Sequence[Shown], Sequence[Row]],
) -> None:
    """Hang the children of many parents below them, in the order in which they came.

    Args:
        parents: objects, changed in place, and the rows that they were made of.
        at: keys from a parent's object to the one that the list hangs on.
        branch: the relation.
        children: objects, and their rows, whose link leads back to the parent's key.
    """
    by_parent: Mapping[Any, list[Shown]] = defaultdict(list)
    for shown, row in zip(*children, strict=True):
        by_parent[row[branch.link]].append(shown)
    for shown, row in zip(*parents, strict=True):
        target: Shown | None = shown
        for key in at:
            target = target and target[key]
        if target is not None:
            target[branch.key] = by_parent.get(row[branch.parent], [])
