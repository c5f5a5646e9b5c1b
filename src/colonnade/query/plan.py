"""From a request to a frozen plan: a statement with its values left out, kept by shape and used again.

A plan is SQLAlchemy Core, so that the same plan serves both ways: compiled for the driver's own connection, or executed by
a session of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from colonnade.models.facts import ColumnFacts, Deleted, TableFacts
from colonnade.policy.access import Access
from colonnade.query.count import CountPlan, plan_count
from colonnade.query.keyset import narrow_walk
from colonnade.query.order import OrderKey, order_by, order_keys
from colonnade.query.predicates import predicates
from colonnade.query.request import ReadRequest, leaves
from colonnade.query.selection import Selection, select_for
from colonnade.schemas.projection import Projection


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How to read rows of one table.

    Attributes:
        statement: selects what the projection needs; None when the schema computes.
        selection: what the columns of a row are; None likewise.
        entities: selects the same rows as the model's instances, for a session.
        keys: of the order in which a walk goes through the rows.
    """

    statement: sa.Select[Any] | None
    selection: Selection | None
    entities: sa.Select[Any]
    keys: tuple[OrderKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """What a resource reads: a table, and the part of it that its response shows."""

    facts: TableFacts
    projection: Projection | None
    deleted: Deleted = "hide"
    access: Access | None = None

    def selection(self, *extra: ColumnFacts) -> Selection | None:
        """Work out what to select, `extra` columns included; None when the response computes."""
        return None if self.projection is None else select_for(self.facts, self.projection, *extra, access=self.access)

    def seen(self) -> list[sa.ColumnElement[bool]]:
        """Give the conditions on which a row is seen at all."""
        return [*self.facts.visible(self.deleted), *([] if self.access is None else self.access.reach())]

    def entities(self) -> sa.Select[Any]:
        """Start a statement for a session; which rows are seen is said in its own WHERE."""
        return sa.select(self.facts.model).execution_options(with_deleted=True)


def plan_get(source: Source) -> ReadPlan:
    """Plan the reading of one row; the id is bound as `id`."""
    identity = source.facts.identity.column
    selection = source.selection()
    chosen = (identity == sa.bindparam("id", type_=identity.type), *source.seen())
    statement = None if selection is None else selection.select().where(*chosen)
    return ReadPlan(statement, selection, source.entities().where(*chosen))


def plan_list(source: Source, request: ReadRequest) -> ReadPlan:
    """Plan a list of the request's shape; values are bound by `list_values`."""
    keys = order_keys(source.facts, request.sort)
    walk = request.walk
    selection = source.selection(*[key.column for key in keys]) if walk else source.selection()
    conditions = [*_predicates(source.facts, request), *source.seen()]
    is_bound = request.most is None
    limit = _bound("limit") if is_bound else sa.literal_column(str(request.most), sa.Integer)
    # Written out, since SQLAlchemy would bind a zero for SQLite.
    offset = _bound("offset") if is_bound else sa.literal_column("0", sa.Integer)
    if walk is not None:
        conditions = [*narrow_walk(source.facts, keys, walk.shape, conditions, limit)]

    def narrowed(select: sa.Select[Any]) -> sa.Select[Any]:
        part = select.where(*conditions).order_by(*order_by(keys)).limit(limit)
        return part if walk else part.offset(offset)

    return ReadPlan(
        None if selection is None else narrowed(selection.select()),
        selection,
        narrowed(source.entities()),
        keys,
    )


def plan_total(facts: TableFacts, request: ReadRequest) -> CountPlan:
    """Plan the counting of all rows of a list; values are bound by `list_values`."""
    access = None if request.view.permit is None else request.view.permit.access
    seen = Source(facts, None, request.view.deleted, access).seen()
    whole = not request.conditions and request.view.deleted != "only" and not (access and access.reach())
    return plan_count(facts, [*_predicates(facts, request), *seen], whole=whole)


def _bound(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger())


def list_values(request: ReadRequest) -> dict[str, object]:
    """Give the values of a request under the names that its plan binds.

    A walk asks for one row more than it gives, which tells whether there is more.
    """
    paging, walk = request.paging, request.walk
    if walk is None:
        values: dict[str, object] = {"limit": paging.limit, "offset": paging.offset}
    else:
        values = {"limit": paging.limit + 1}
        values |= {f"k{index}": value for index, value in enumerate(walk.after or ()) if value is not None}
    values |= request.view.bound
    for index, condition in enumerate(leaves(request.conditions)):
        for place, value in enumerate(condition.values):
            values[f"c{index}_{place}"] = value
    return values


def _predicates(facts: TableFacts, request: ReadRequest) -> list[sa.ColumnElement[bool]]:
    permit = request.view.permit
    return predicates(facts, request.conditions, None if permit is None else permit.access.standing)
