"""From a request to a frozen plan: a statement with its values left out, kept by shape and used again.

A plan is SQLAlchemy Core, so that the same plan serves both ways: compiled for the driver's own connection, or executed by
a session of the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import ColumnFacts, TableFacts
from colonnade.query.operators import OPERATORS, nulls_as_greatest
from colonnade.query.request import Condition, ReadRequest, SortKey
from colonnade.schemas.projection import Nested, Projection

MAX_CHILDREN = 1_000
"""Rows that a to-many relation shows of one parent at the most."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value of a selected row goes: the path of keys in the answer, and the column it is of."""

    path: tuple[str, ...]
    column: ColumnFacts
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """The rows of a to-many relation for a whole page of parents, in one statement of its own.

    Attributes:
        nested: the relation and what of it is shown.
        slots: the child's columns; the last one, hidden, is the foreign key that leads back to the parent.
        parent: index of the parent's key among the root's slots.
    """

    nested: Nested
    slots: tuple[Slot, ...]
    parent: int

    def statement(self, parents: int) -> sa.Select[Any]:
        """Select the children of `parents` parents, whose keys are bound as `p0`, `p1`, ..."""
        key = self.slots[-1].column.column
        keys = [sa.bindparam(f"p{index}", type_=key.type) for index in range(parents)]
        order = self.nested.relation.order_by or (self.nested.facts.identity.column,)
        columns = [slot.column.column for slot in self.slots]
        return sa.select(*columns).where(key.in_(keys)).order_by(*order).limit(MAX_CHILDREN * parents)


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How to read rows of one table.

    Attributes:
        statement: selects `slots`, in that order.
        entities: selects the same rows as the model's instances, for a session.
        slots: what the selected columns are; none when the schema computes.
        projection: what is shown, None when the schema computes.
        branches: to-many relations, one more statement each however many rows there are.
        count: counts the rows that the same conditions let through; None for a single row.
    """

    statement: sa.Select[Any]
    entities: sa.Select[Any]
    slots: tuple[Slot, ...]
    projection: Projection | None
    branches: tuple[Branch, ...] = ()
    count: sa.Select[Any] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a resource reads: a table, and the part of it that its response shows."""

    facts: TableFacts
    projection: Projection | None


def plan_get(source: Source) -> ReadPlan:
    """Plan the reading of one row; the id is bound as `id`."""
    identity = source.facts.identity.column
    statement, slots, branches = _select(source)
    chosen = identity == sa.bindparam("id", type_=identity.type)
    entities = sa.select(source.facts.model).where(chosen)
    return ReadPlan(statement.where(chosen), entities, slots, source.projection, branches)


def plan_list(source: Source, request: ReadRequest) -> ReadPlan:
    """Plan a list of the request's shape; values are bound by `list_values`."""
    statement, slots, branches = _select(source)
    conditions = _conditions(source.facts, request.conditions)
    order = tuple(_order(source.facts, request.sort))
    rows, entities = (
        select.where(*conditions).order_by(*order).limit(_bound("limit")).offset(_bound("offset"))
        for select in (statement, sa.select(source.facts.model))
    )
    count = sa.select(sa.func.count()).select_from(source.facts.table).where(*conditions)
    return ReadPlan(rows, entities, slots, source.projection, branches, count)


def _bound(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger())


def list_values(request: ReadRequest) -> dict[str, object]:
    """Give the values of a request under the names that its plan binds."""
    values: dict[str, object] = {"limit": request.paging.limit, "offset": request.paging.offset}
    for index, condition in enumerate(request.conditions):
        for place, value in enumerate(condition.values):
            values[f"c{index}_{place}"] = value
    return values


def _conditions(facts: TableFacts, conditions: tuple[Condition, ...]) -> list[sa.ColumnElement[bool]]:
    return [_condition(facts, index, condition) for index, condition in enumerate(conditions)]


def _condition(facts: TableFacts, index: int, condition: Condition) -> sa.ColumnElement[bool]:
    column = facts.columns[condition.field].column
    if condition.operator == "isnull":
        return column.is_(None) if condition.values[0] else column.is_not(None)
    bound = [sa.bindparam(f"c{index}_{place}", type_=column.type) for place in range(len(condition.values))]
    return OPERATORS[condition.operator](column, bound)


def _order(facts: TableFacts, sort: tuple[SortKey, ...]) -> Iterator[sa.ColumnElement[Any]]:
    """Order by the keys, then by the primary key, so that a page's border never falls between equal rows at random.

    NULL counts as greater than every value, as PostgreSQL has it; the others are told so.
    """
    for key in sort:
        column = facts.columns[key.field]
        if column.nullable:
            yield nulls_as_greatest(column.column, key.descending)
        else:
            yield column.column.desc() if key.descending else column.column.asc()
    if facts.identity.key not in [key.field for key in sort]:
        last = sort[-1].descending if sort else False
        yield facts.identity.column.desc() if last else facts.identity.column.asc()


def _select(source: Source) -> tuple[sa.Select[Any], tuple[Slot, ...], tuple[Branch, ...]]:
    facts, projection = source.facts, source.projection
    if projection is None:
        return sa.select(facts.model), (), ()
    slots = [Slot((key,), facts.columns[key]) for key in projection.columns]
    origin: sa.FromClause = facts.table
    columns: list[sa.ColumnElement[Any]] = [slot.column.column for slot in slots]
    for nested in projection.nested:
        if not nested.relation.to_many:
            origin = _join(origin, nested, slots, columns)
    _hide(slots, columns, facts.identity)
    if facts.version is not None:
        _hide(slots, columns, facts.version)
    branches = [_branch(nested, facts, slots, columns) for nested in projection.nested if nested.relation.to_many]
    return sa.select(*columns).select_from(origin), tuple(slots), tuple(branches)


def _join(
    origin: sa.FromClause, nested: Nested, slots: list[Slot], columns: list[sa.ColumnElement[Any]]
) -> sa.FromClause:
    """Add a to-one relation to the row: its columns, and its key, whose NULL says that there is none."""
    if nested.projection.nested:
        raise DeclarationError(f"'{nested.key}': relations are shown at most two deep, and to-one inside a row only")
    other = nested.facts.table.alias(nested.key)
    shown = [*nested.projection.columns]
    for key in shown:
        slots.append(Slot((nested.key, key), nested.facts.columns[key]))
        columns.append(other.c[nested.facts.columns[key].column.key])
    identity = nested.facts.identity
    slots.append(Slot((nested.key,), identity, hidden=True))
    columns.append(other.c[identity.column.key])
    on = [local == other.c[remote.key] for local, remote in nested.relation.pairs]  # type: ignore[index]
    return origin.outerjoin(other, sa.and_(*on))


def _hide(slots: list[Slot], columns: list[sa.ColumnElement[Any]], column: ColumnFacts) -> int:
    """Make sure that a column is selected, shown or not; give its index."""
    for index, slot in enumerate(slots):
        if slot.column is column and len(slot.path) == 1 and not (slot.hidden and slot.path[0] != column.key):
            return index
    slots.append(Slot((column.key,), column, hidden=True))
    columns.append(column.column)
    return len(slots) - 1


def _branch(nested: Nested, facts: TableFacts, slots: list[Slot], columns: list[sa.ColumnElement[Any]]) -> Branch:
    if len(nested.relation.pairs) != 1 or nested.projection.nested:
        raise DeclarationError(f"'{nested.key}': a list in a row needs one foreign key column and plain rows")
    local, remote = nested.relation.pairs[0]
    parent_key, child_key = facts.key_of(local.key or ""), nested.facts.key_of(remote.key or "")
    if parent_key is None or child_key is None:
        raise DeclarationError(f"'{nested.key}': its foreign key is not mapped")
    child_slots = [Slot((key,), nested.facts.columns[key]) for key in nested.projection.columns]
    child_slots.append(Slot((child_key,), nested.facts.columns[child_key], hidden=True))
    return Branch(nested, tuple(child_slots), _hide(slots, columns, facts.columns[parent_key]))
