"""From a request to a frozen plan: a statement with its values left out, kept by shape and used again.

A plan is SQLAlchemy Core, so that the same plan serves both ways: compiled for the driver's own connection, or executed by
a session of the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from colonnade.models.facts import TableFacts
from colonnade.query.operators import OPERATORS, nulls_as_greatest
from colonnade.query.request import Condition, ReadRequest, SortKey
from colonnade.query.selection import Selection, select_for
from colonnade.schemas.projection import Projection


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How to read rows of one table.

    Attributes:
        statement: selects what the projection needs; None when the schema computes.
        selection: what the columns of a row are; None likewise.
        entities: selects the same rows as the model's instances, for a session.
        count: counts the rows that the same conditions let through; None for a single row.
    """

    statement: sa.Select[Any] | None
    selection: Selection | None
    entities: sa.Select[Any]
    count: sa.Select[Any] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a resource reads: a table, and the part of it that its response shows."""

    facts: TableFacts
    projection: Projection | None

    def selection(self) -> Selection | None:
        """Work out what to select; None when the response computes."""
        return None if self.projection is None else select_for(self.facts, self.projection)


def plan_get(source: Source) -> ReadPlan:
    """Plan the reading of one row; the id is bound as `id`."""
    identity = source.facts.identity.column
    selection = source.selection()
    chosen = identity == sa.bindparam("id", type_=identity.type)
    statement = None if selection is None else selection.select().where(chosen)
    return ReadPlan(statement, selection, sa.select(source.facts.model).where(chosen))


def plan_list(source: Source, request: ReadRequest) -> ReadPlan:
    """Plan a list of the request's shape; values are bound by `list_values`."""
    selection = source.selection()
    conditions = _conditions(source.facts, request.conditions)
    order = tuple(_order(source.facts, request.sort))

    def narrowed(select: sa.Select[Any]) -> sa.Select[Any]:
        return select.where(*conditions).order_by(*order).limit(_bound("limit")).offset(_bound("offset"))

    return ReadPlan(
        None if selection is None else narrowed(selection.select()),
        selection,
        narrowed(sa.select(source.facts.model)),
        sa.select(sa.func.count()).select_from(source.facts.table).where(*conditions),
    )


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
