"""Reading: from a request to the bytes of the answer, the compiled way where the response is a plain projection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import NotFoundError
from colonnade.core.json import dump_json
from colonnade.database.database import Database
from colonnade.policy.access import Gate
from colonnade.query.compile import CompiledStatement, compile_statement
from colonnade.query.count import Scope
from colonnade.query.cursor import next_cursor
from colonnade.query.order import OrderKey
from colonnade.query.plan import ReadPlan, list_values, plan_get, plan_list, plan_total
from colonnade.query.request import WHOLE, ReadRequest, View
from colonnade.query.selection import Branch, Selection
from colonnade.query.shape import Row, Shaper, Shown, hang, make_shaper, parent_keys
from colonnade.query.wire import key_converter_of
from colonnade.services.blueprint import Blueprint, PlanCache
from colonnade.services.document import Document
from colonnade.services.entities import EntityReader
from colonnade.services.page import Page, make_page
from colonnade.services.totals import totals_of

BRANCH_SIZES = (1, 10, 25, 100, 1_000, 10_000)
"""Keys in a branch's list are filled up to one of these, so that a few texts serve every page."""

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class CompiledRead:
    """A plan of a projection made ready for one dialect."""

    rows: CompiledStatement
    selection: Selection
    shape: Shaper
    branches: tuple[tuple[tuple[str, ...], Branch], ...]
    keys: tuple[OrderKey, ...] = ()

    @property
    def mingles(self) -> bool:
        """Whether it shows rows of other tables too, or not all of its own: its version does not tell all then."""
        return bool(self.branches or self.selection.node.inner or self.selection.partial)


class CompiledCount(NamedTuple):
    """A plan for counting made ready for one dialect."""

    number: CompiledStatement
    rows: CompiledStatement
    scope: Scope


class Reader:
    """Reads the rows of one resource.

    Args:
        blueprint: the resource.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.facts = blueprint.facts
        self.gate = Gate(blueprint.facts)
        self.whole = blueprint.source(WHOLE)
        self._plans = PlanCache()

    async def get(self, database: Database, id: object, view: View = WHOLE) -> Document:
        """Read one row: one statement, and one more for each to-many relation that is shown.

        Args:
            database: where it is.
            id: of the identity column's type.
            view: how much of it is shown, and to whom.

        Raises:
            NotFoundError: CLN400, also where the row is out of reach.
        """
        read = self.compiled_get(database, view)
        if read is None:
            return await database.retry(lambda: self._get_by_own_session(database, id, view))
        rows = await database.fetch(read.rows.bind({"id": id} if view is WHOLE else {"id": id, **view.bound}))
        if not rows:
            raise self.missing(id)
        return await self.document(database, read, rows[0], view)

    async def page(self, database: Database, request: ReadRequest) -> Page:
        """Read a list: one statement for its rows, one for its total where it is asked for, one a to-many relation.

        Args:
            database: where it is.
            request: which part of it; a walk has been opened by `open_walk`.
        """
        read = self._kept(database, request.shape, lambda: self._compile(database, self._plan_list(request)))
        if read is None:
            return await database.retry(lambda: self._page_by_session(database, request))
        values = list_values(request)
        rows = await database.fetch(read.rows.bind(values))
        total = None if request.count == "none" else await self._total(database, request, len(rows))
        plural = self.blueprint.plural
        if request.walk is None:
            return make_page(plural, request, await self._show(database, read, rows, request.view), total)
        rows, cursor = _step(request, read.keys, rows, partial(self._place, database, read))
        return make_page(plural, request, await self._show(database, read, rows, request.view), total, cursor)

    async def _total(self, database: Database, request: ReadRequest, found: int) -> int:
        """Tell how many rows there are in all: from what was found, if that says it."""
        if (implied := _implied_total(request, found)) is not None:
            return implied
        totaling = self._kept(database, request.count_shape, lambda: self._compile_count(database, request))
        count = totaling.number.bind(values := list_values(request))
        if request.count == "exact":
            return await totals_of(database).exact(count, totaling.scope)
        return await totals_of(database).estimated(count, totaling.rows.bind(values), totaling.scope)

    def _compile_count(self, database: Database, request: ReadRequest) -> CompiledCount:
        plan = plan_total(self.facts, request)
        count, rows = (compile_statement(one, database.dialect) for one in (plan.count, plan.rows))
        return CompiledCount(count, rows, plan.scope)

    @staticmethod
    def _place(database: Database, read: CompiledRead, row: Row) -> Iterator[object]:
        """Give the values of the order's keys in a row, as Python knows them."""
        for column, _ in read.keys:
            value = row[read.selection.index_of(column)]
            yield None if value is None else key_converter_of(column, database.dialect)(value)

    async def document(self, database: Database, read: CompiledRead, row: Row, view: View = WHOLE) -> Document:
        """Show a row that a statement with the plan's columns gave."""
        index = read.selection.version
        shown = await self._show(database, read, [row], view) if read.branches else read.shape([row])
        return Document(
            dump_json(shown[0]), None if index is None else row[index], view is WHOLE or view.is_whole, read.mingles
        )

    async def read_in(self, session: AsyncSession, id: object, view: View = WHOLE) -> Document:
        """Read one row inside a session's transaction, as a change does to show what it made.

        A session of its own on the same connection: the caller's may hold the row as it was before the statement.

        Raises:
            NotFoundError: CLN400.
        """
        async with AsyncSession(await session.connection(), expire_on_commit=False) as fresh:
            return await self._get_by_session(fresh, id, view)

    async def show_in(self, session: AsyncSession, ids: Sequence[object], view: View = WHOLE) -> dict[object, Shown]:
        """Show rows in a session's transaction, by their ids; what is not there is left out."""
        identity = self.facts.identity
        plan = ReadPlan(None, None, sa.select(self.facts.model).where(identity.column.in_(ids)))
        entities = self._entities(view)
        async with AsyncSession(await session.connection(), expire_on_commit=False) as fresh:
            rows = await entities.rows(fresh, plan, {})
            return {getattr(row, identity.key): entities.show(row) for row in rows}

    def compiled_get(self, database: Database, view: View = WHOLE) -> CompiledRead | None:
        """Give the plan by which one row is read on the compiled way; None when the response computes."""
        # The key of the whole row is a text, which is hashed once; a view is hashed anew at every look.
        shape = "whole" if view is WHOLE else view
        return self._kept(database, shape, lambda: self._compile(database, plan_get(self.blueprint.source(view))))

    def missing(self, id: object) -> NotFoundError:
        """Make the refusal for a row that is not there."""
        return NotFoundError(f"{self.blueprint.label} {id} not found.")

    def _plan_list(self, request: ReadRequest) -> ReadPlan:
        return plan_list(self.blueprint.source(request.view), request)

    async def _show(self, database: Database, read: CompiledRead, rows: Sequence[Row], view: View) -> list[Shown]:
        shown = read.shape(rows)
        for at, branch in read.branches if rows else ():
            hang((shown, rows), at, branch, await self._children(database, rows, branch, view))
        return shown

    async def _children(
        self, database: Database, parents: Sequence[Row], branch: Branch, view: View
    ) -> tuple[list[Shown], Sequence[Row]]:
        """Read the children of a whole page in one statement, or in one for each ten thousand of their parents."""
        keys = parent_keys(parents, branch)
        shown: list[Shown] = []
        found: list[Row] = []
        for start in range(0, len(keys), BRANCH_SIZES[-1]):
            part = keys[start : start + BRANCH_SIZES[-1]]
            size = next(size for size in BRANCH_SIZES if size >= len(part))
            read = self._kept(database, (branch, size), partial(self._compile_branch, database, branch, size))
            convert = key_converter_of(branch.column, database.dialect)
            bound = {f"p{index}": convert(part[min(index, len(part) - 1)]) for index in range(size)}
            rows = await database.fetch(read.rows.bind(bound | view.bound))
            shown += await self._show(database, read, rows, view)
            found += rows
        return shown, found

    @staticmethod
    def _compile(database: Database, plan: ReadPlan) -> CompiledRead | None:
        if plan.statement is None or plan.selection is None:
            return None
        return CompiledRead(
            compile_statement(plan.statement, database.dialect),
            plan.selection,
            make_shaper(plan.selection, database.dialect),
            tuple(plan.selection.node.all_branches()),
            plan.keys,
        )

    @staticmethod
    def _compile_branch(database: Database, branch: Branch, size: int) -> CompiledRead:
        compiled = compile_statement(branch.statement(size), database.dialect)
        shape = make_shaper(branch.selection, database.dialect)
        return CompiledRead(compiled, branch.selection, shape, tuple(branch.selection.node.all_branches()))

    def _kept(self, database: Database, shape: object, make: Callable[[], Kept]) -> Kept:
        key = (database.driver_name, shape)
        try:
            return self._plans[key]  # type: ignore[return-value]  # what this shape was made as
        except KeyError:
            made = self._plans[key] = make()
            return made

    async def _get_by_own_session(self, database: Database, id: object, view: View) -> Document:
        async with database.session(read_only=True) as session:
            return await self._get_by_session(session, id, view)

    async def _get_by_session(self, session: AsyncSession, id: object, view: View) -> Document:
        entities = self._entities(view)
        plan = plan_get(self.blueprint.source(view))
        rows = await entities.rows(session, plan, {"id": id, **view.bound})
        if not rows:
            raise self.missing(id)
        version = None if self.facts.version is None else getattr(rows[0], self.facts.version.key)
        return Document(dump_json(entities.show(rows[0])), version, view.is_whole, entities.mingles)

    def _entities(self, view: View) -> EntityReader:
        if view.permit is not None:
            return EntityReader(self.blueprint, view)  # it knows its principal
        found = self._plans.get(("entities", view))
        if found is None:
            found = self._plans["entities", view] = EntityReader(self.blueprint, view)
        return found  # type: ignore[return-value]  # see above

    async def _page_by_session(self, database: Database, request: ReadRequest) -> Page:
        plan, values = self._plan_list(request), list_values(request)
        entities = self._entities(request.view)
        cursor = None
        async with database.session(read_only=True) as session:
            rows = await entities.load(session, plan, values)
            found = len(rows)
            if request.walk is not None:
                rows, cursor = _step(request, plan.keys, rows, partial(_place_of, plan.keys))
            await entities.read(session, rows)
            shown = [entities.show(row) for row in rows]
        # The session has given its connection back: nobody holds one and waits for another.
        total = None if request.count == "none" else await self._total(database, request, found)
        return make_page(self.blueprint.plural, request, shown, total, cursor)


def _place_of(keys: Sequence[OrderKey], row: object) -> Iterator[object]:
    return (getattr(row, column.key) for column, _ in keys)


def _step(
    request: ReadRequest, keys: Sequence[OrderKey], rows: Sequence[Any], place: Callable[[Any], Iterable[object]]
) -> tuple[Sequence[Any], str | None]:
    """Take away the row that only says that there is more, and write the cursor that leads to it."""
    assert request.walk is not None  # asked by the caller
    if len(rows) <= request.paging.limit:
        return rows, None
    rows = rows[: request.paging.limit]
    return rows, next_cursor(request.walk, keys, place(rows[-1]))


def _implied_total(request: ReadRequest, found: int) -> int | None:
    """A page that is not full is the last one, and needs no count; an empty one may lie behind the end."""
    paging = request.paging
    if request.walk is not None and request.walk.after is not None:
        return None
    return paging.offset + found if 0 < found < paging.limit or (found == 0 and paging.offset == 0) else None
