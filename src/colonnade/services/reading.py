"""Reading: from a request to the bytes of the answer, the compiled way where the response is a plain projection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import raiseload, selectinload
from sqlalchemy.orm.interfaces import LoaderOption
from sqlalchemy.sql.elements import ClauseElement

from colonnade.core.errors import NotFoundError
from colonnade.core.json import dump_json
from colonnade.database.database import Database
from colonnade.query.compile import CompiledStatement, compile_statement
from colonnade.query.plan import Branch, ReadPlan, list_values, plan_get, plan_list
from colonnade.query.request import ReadRequest
from colonnade.query.shape import Shaper, Shown, attach, make_branch_shaper, make_shaper, parent_keys
from colonnade.query.wire import key_converter_of
from colonnade.schemas.present import Presenter, model_in
from colonnade.services.blueprint import Blueprint, PlanCache

BRANCH_SIZES = (1, 10, 25, 100)
"""Keys in a branch's list are filled up to one of these, so that a few texts serve every page."""

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Document:
    """One row as the wire shows it, and its version where its table keeps one."""

    body: bytes
    version: int | None = None


@dataclass(frozen=True, slots=True)
class CompiledRead:
    """A plan made ready for one dialect."""

    plan: ReadPlan
    rows: CompiledStatement
    count: CompiledStatement | None
    shape: Shaper
    version: int | None


class Reader:
    """Reads the rows of one resource.

    Args:
        blueprint: the resource.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.source = blueprint.source()
        self._plans = PlanCache()
        self._presenter = Presenter(blueprint.response)

    async def get(self, database: Database, id: object) -> Document:
        """Read one row: one statement, and one more for each to-many relation that its response shows.

        Args:
            database: where it is.
            id: of the identity column's type.

        Raises:
            NotFoundError: CLN400.
        """
        if self.source.projection is None:
            async with database.session(read_only=True) as session:
                return await self.read_in(session, id)
        read = self.compiled_get(database)
        rows = await database.fetch(read.rows.bind({"id": id}))
        if not rows:
            raise self.missing(id)
        return await self.document(database, read, rows[0])

    async def page(self, database: Database, request: ReadRequest) -> bytes:
        """Read a list: one statement for its rows, one for its total where it is asked for, one for each to-many relation.

        Returns:
            The body: rows under the plural name, `total` where it was counted, and the paging in the mode's own words.
        """
        if self.source.projection is None:
            return await self._list_by_session(database, request)
        read = self._kept(database, request.shape, lambda: self._compile(database, plan_list(self.source, request)))
        values = list_values(request)
        rows = await database.fetch(read.rows.bind(values))
        total = None
        if request.count == "exact" and (total := _implied_total(request, len(rows))) is None:
            assert read.count is not None  # a list's plan always counts
            total = (await database.fetch(read.count.bind(values)))[0][0]
        return dump_json(self._wrapped(request, await self._show(database, read, rows), total))

    async def document(self, database: Database, read: CompiledRead, row: Sequence[Any]) -> Document:
        """Show a row that a statement with the plan's columns gave."""
        version = None if read.version is None else row[read.version]
        return Document(dump_json((await self._show(database, read, [row]))[0]), version)

    async def read_in(self, session: AsyncSession, id: object) -> Document:
        """Read one row by a session, inside its transaction, as a change does to show what it made.

        Raises:
            NotFoundError: CLN400.
        """
        plan = plan_get(self.source)
        shown, versions = await self._show_by_session(session, plan, {"id": id})
        if not shown:
            raise self.missing(id)
        return Document(dump_json(shown[0]), versions[0])

    def compiled_get(self, database: Database) -> CompiledRead:
        """Give the plan by which one row is read on the compiled way."""
        return self._kept(database, "get", lambda: self._compile(database, plan_get(self.source)))

    def missing(self, id: object) -> NotFoundError:
        """Make the refusal for a row that is not there."""
        return NotFoundError(f"{self.blueprint.label} {id} not found.")

    async def _show(self, database: Database, read: CompiledRead, rows: Sequence[Sequence[Any]]) -> list[Shown]:
        shape = read.shape
        shown = [shape(row) for row in rows]
        for branch in read.plan.branches if rows else ():
            await self._hang_on(database, branch, shown, rows)
        return shown

    async def _hang_on(
        self, database: Database, branch: Branch, shown: list[Shown], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Read the children of a whole page in one statement."""
        keys = parent_keys(rows, branch)
        size = next(size for size in BRANCH_SIZES if size >= len(keys))
        statement, shape = self._kept(
            database, ("branch", branch.nested.key, size), lambda: self._compile_branch(database, branch, size)
        )
        convert = key_converter_of(branch.slots[-1].column, database.dialect)
        bound = {f"p{index}": convert(keys[min(index, len(keys) - 1)]) for index in range(size)}
        attach(shown, rows, branch, await database.fetch(statement.bind(bound)), shape)

    def _compile(self, database: Database, plan: ReadPlan) -> CompiledRead:
        assert plan.projection is not None  # the caller has looked
        version = self.source.facts.version
        return CompiledRead(
            plan,
            compile_statement(plan.statement, database.dialect),
            None if plan.count is None else compile_statement(plan.count, database.dialect),
            make_shaper(plan.slots, plan.projection.keys, database.dialect),
            next((index for index, slot in enumerate(plan.slots) if slot.column is version), None),
        )

    @staticmethod
    def _compile_branch(database: Database, branch: Branch, size: int) -> tuple[CompiledStatement, Shaper]:
        statement: ClauseElement = branch.statement(size)
        return compile_statement(statement, database.dialect), make_branch_shaper(branch, database.dialect)

    def _kept(self, database: Database, shape: object, make: Callable[[], Kept]) -> Kept:
        key = (database.dialect.driver, shape)
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = make()
        return found  # type: ignore[return-value]  # what this shape was made as

    def _wrapped(self, request: ReadRequest, shown: list[Shown], total: int | None) -> dict[str, object]:
        paging = request.paging
        body: dict[str, object] = {self.blueprint.plural: shown}
        if total is not None:
            body["total"] = total
        if paging.mode == "page":
            return {**body, "page": paging.offset // paging.limit + 1, "page_size": paging.limit}
        return {**body, "skip": paging.offset, "limit": paging.limit}

    async def _list_by_session(self, database: Database, request: ReadRequest) -> bytes:
        plan, values = plan_list(self.source, request), list_values(request)
        async with database.session(read_only=True) as session:
            shown, _ = await self._show_by_session(session, plan, values)
            total = None
            if request.count == "exact" and (total := _implied_total(request, len(shown))) is None:
                assert plan.count is not None  # a list's plan always counts
                total = (await session.execute(plan.count, values)).scalar_one()
        return dump_json(self._wrapped(request, shown, total))

    async def _show_by_session(
        self, session: AsyncSession, plan: ReadPlan, values: dict[str, object]
    ) -> tuple[list[Shown], list[int | None]]:
        """The ORM and Pydantic way: entities with their relations loaded eagerly, read hook, schema."""
        loaded = plan.entities.options(*self._loads()).execution_options(populate_existing=True)
        rows = (await session.scalars(loaded, values)).all()
        await self.blueprint.service.after_read(session, rows)
        version = self.source.facts.version
        versions = [None if version is None else getattr(row, version.key) for row in rows]
        return [self._presenter.present(row) for row in rows], versions

    def _loads(self) -> list[LoaderOption]:
        """Load each relation that the schema shows with one more statement; refuse to load any other in passing."""
        facts = self.source.facts
        shown = [key for key in self.blueprint.response.model_fields if key in facts.relations]
        loads: list[LoaderOption] = []
        for key in shown:
            load = selectinload(getattr(facts.model, key))
            inner = model_in(self.blueprint.response.model_fields[key].annotation)
            target = facts.relations[key].target
            deeper = [name for name in (inner.model_fields if inner else ()) if name in target.__mapper__.relationships]
            loads.append(load.options(*(selectinload(getattr(target, name)) for name in deeper), raiseload("*")))
        return [*loads, raiseload("*")]


def _implied_total(request: ReadRequest, found: int) -> int | None:
    """A page that is not full is the last one, and needs no count; an empty one may lie behind the end."""
    paging = request.paging
    return paging.offset + found if 0 < found < paging.limit or (found == 0 and paging.offset == 0) else None
