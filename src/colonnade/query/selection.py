"""What to select so that a projection can be shown: columns, joins for to-one relations, branches for to-many ones."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import sqlalchemy as sa

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import ColumnFacts, RelationFacts, TableFacts
from colonnade.policy.access import Access, access_to
from colonnade.policy.grant import Grant
from colonnade.schemas.projection import Nested, Projection

MAX_CHILDREN = 100
"""Rows that a to-many relation shows of one parent at the most, the first ones in its order; a list has them all."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value of a row goes in an object: the row's index, the object's key, and the column it is of."""

    index: int
    key: str
    column: ColumnFacts


class Veil(NamedTuple):
    """What is seen of some rows only.

    Attributes:
        place: of a number in the row; each of its bits that is set hides some fields.
        hidden: by bit, the lowest first, the fields that it hides.
    """

    place: int
    hidden: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One object of the answer, made of a row.

    Attributes:
        keys: of the object, in its order.
        places: its own columns.
        inner: to-one relations inside it: key, index of the column that is NULL when there is none, and what is shown.
        branches: to-many relations that hang on it; their keys stay empty until their rows are read.
        veil: which of its keys are left out, by row; None where none is.
    """

    keys: tuple[str, ...]
    places: tuple[Place, ...]
    inner: tuple[tuple[str, int, Node], ...] = ()
    branches: tuple[Branch, ...] = ()
    veil: Veil | None = None

    def all_branches(self, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Branch]]:
        """Give each branch below this object with the keys that lead to the object that it hangs on."""
        for branch in self.branches:
            yield at, branch
        for key, _, node in self.inner:
            yield from node.all_branches((*at, key))


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The columns of one statement and the object that a row of it becomes.

    Attributes:
        columns: selected, in this order.
        origin: the table and what is joined to it.
        node: the object.
        identity, version: indexes of the table's own key and version among the columns.
        partial: somebody else may see more of a row, at the same version.
    """

    columns: tuple[sa.ColumnElement[Any], ...]
    origin: sa.FromClause
    node: Node
    identity: int
    version: int | None
    partial: bool = False

    def index_of(self, column: ColumnFacts) -> int:
        """Give the place of one of the table's own columns, which was asked for."""
        return next(index for index, selected in enumerate(self.columns) if selected is column.column)

    def select(self) -> sa.Select[Any]:
        """Start a statement on it."""
        return sa.select(*self.columns).select_from(self.origin)


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """The rows of a to-many relation for many parents, in one statement of its own.

    Attributes:
        key: of the list in the parent's object.
        parent: index of the parent's key in the parent's row.
        link: index of the foreign key in the child's row, which leads back to the parent.
        column: that foreign key.
        selection: what is shown of a child.
        seen: conditions on which a child is shown.
        order: of the children of one parent.
    """

    key: str
    parent: int
    link: int
    column: ColumnFacts
    selection: Selection
    seen: tuple[sa.ColumnElement[bool], ...]
    order: tuple[sa.ColumnElement[Any], ...]

    def statement(self, parents: int) -> sa.Select[Any]:
        """Select the first children of `parents` parents, whose keys are bound as `p0`, `p1`, ...

        One window over all of them, since a LIMIT would let one parent take the room of the others.
        """
        link = self.selection.columns[self.link]
        keys = [sa.bindparam(f"p{index}", type_=link.type) for index in range(parents)]
        place = sa.func.row_number().over(partition_by=link, order_by=self.order).label("place")
        labelled = [column.label(f"c{index}") for index, column in enumerate(self.selection.columns)]
        children = sa.select(*labelled, place).select_from(self.selection.origin).where(link.in_(keys), *self.seen)
        ranked = children.subquery("ranked")
        columns = [ranked.c[f"c{index}"] for index in range(len(labelled))]
        return sa.select(*columns).where(ranked.c.place <= MAX_CHILDREN).order_by(ranked.c.place)


def select_for(
    facts: TableFacts, projection: Projection, *extra: ColumnFacts, access: Access | None = None
) -> Selection:
    """Work out what to select.

    Args:
        facts: the table.
        projection: what is shown of its rows.
        extra: columns that are needed though they are not shown.
        access: of whoever looks: what it does not see is left out, whole rows behind relations too.

    Raises:
        DeclarationError: a relation has a foreign key of several columns.
    """
    builder = _Builder(facts.table)
    node = builder.node(facts, projection, facts.table, (), access)
    identity = builder.index_of(facts.identity, facts.table)
    version = None if facts.version is None else builder.index_of(facts.version, facts.table)
    for column in extra:
        builder.index_of(column, facts.table)
    partial = access is not None and access.varies(projection.keys)
    return Selection(tuple(builder.columns), builder.origin, node, identity, version, partial)


@dataclass(slots=True)
class _Builder:
    """Gathers columns and joins while walking down a projection."""

    origin: sa.FromClause
    columns: list[sa.ColumnElement[Any]] = field(default_factory=list)

    def index_of(self, column: ColumnFacts, table: sa.FromClause) -> int:
        """Make sure that a column is selected, once, and give its index."""
        wanted = table.c[column.column.key]
        for index, selected in enumerate(self.columns):
            if selected is wanted:
                return index
        self.columns.append(wanted)
        return len(self.columns) - 1

    def node(
        self,
        facts: TableFacts,
        projection: Projection,
        table: sa.FromClause,
        at: tuple[str, ...],
        access: Access | None,
    ) -> Node:
        """Select an object's own columns first, so that a plain row is its own object, then what is inside it."""
        if access is not None:
            projection = projection.only([key for key in projection.keys if access.sight_of(key) != ()])
        places = tuple(
            Place(self.index_of(facts.columns[key], table), key, facts.columns[key]) for key in projection.columns
        )
        to_one = [nested for nested in projection.nested if not nested.relation.to_many]
        to_many = [nested for nested in projection.nested if nested.relation.to_many]
        inner = tuple(self._join(nested, table, at, _allowed(nested, access)) for nested in to_one)
        branches = tuple(self._branch(nested, facts, table, _allowed(nested, access)) for nested in to_many)
        veil = None if access is None else self._veil(projection.keys, table, access)
        return Node(projection.keys, places, inner, branches, veil)

    def _veil(self, keys: tuple[str, ...], table: sa.FromClause, access: Access) -> Veil | None:
        """Select the number that tells which of the keys are hidden in a row."""
        alike: dict[tuple[Grant, ...], list[str]] = {}
        for key in keys:
            if (grants := access.sight_of(key)) is not None:
                alike.setdefault(grants, []).append(key)
        if not alike:
            return None
        bits = [
            sa.case((access.seen_where(grants, table), _number(0)), else_=_number(1 << bit))
            for bit, grants in enumerate(alike)
        ]
        self.columns.append(reduce(operator.add, bits))
        return Veil(len(self.columns) - 1, tuple(map(tuple, alike.values())))

    def _join(
        self, nested: Nested, table: sa.FromClause, at: tuple[str, ...], access: Access | None
    ) -> tuple[str, int, Node]:
        path = (*at, nested.key)
        # Not the bare path: a relation may be called as the table that it starts from.
        other = nested.facts.table.alias(f"of_{'_'.join(path)}")
        local, remote = _pair(nested.relation)
        reach = [] if access is None else access.by(nested.relation).reach(other)
        seen = [*nested.facts.visible(table=other), *reach]
        self.origin = self.origin.outerjoin(other, sa.and_(table.c[local] == other.c[remote], *seen))
        node = self.node(nested.facts, nested.projection, other, path, access)
        return nested.key, self.index_of(nested.facts.identity, other), node

    def _branch(self, nested: Nested, facts: TableFacts, table: sa.FromClause, access: Access | None) -> Branch:
        local, remote = _pair(nested.relation)
        link = nested.facts.columns[nested.facts.key_of(remote) or ""]
        selection = select_for(nested.facts, nested.projection, link, access=access)
        return Branch(
            key=nested.key,
            parent=self.index_of(facts.columns[facts.key_of(local) or ""], table),
            link=next(index for index, column in enumerate(selection.columns) if column is link.column),
            column=link,
            selection=selection,
            seen=(*nested.facts.visible(), *([] if access is None else access.by(nested.relation).reach())),
            order=nested.relation.order_by or (nested.facts.identity.column,),
        )


def _allowed(nested: Nested, access: Access | None) -> Access | None:
    """Give what the standing may see of the rows that a relation leads to: those are under their own table's policy."""
    return None if access is None else access_to(nested.facts.model, "read", access.standing)


def _number(value: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(value), sa.Integer)


def _pair(relation: RelationFacts) -> tuple[str, str]:
    """Give the names of the two columns that a relation goes by."""
    if len(relation.pairs) != 1:
        raise DeclarationError(f"'{relation.key}': a relation that is shown needs a foreign key of one column")
    local, remote = relation.pairs[0]
    return str(local.key), str(remote.key)
