"""Changing one row: prepare, plan, one transaction, a visible commit, and the row as it became.

Two ways again. Without a hook inside the transaction, and with a response that is one table's columns, the whole change is
one planned statement (two on MariaDB). Otherwise a unit of work opens a session for the hooks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import DeclarationError, ForeignKeyError, ProblemError, StaleVersionError
from colonnade.database.database import Database
from colonnade.database.driver import Outcome
from colonnade.database.unit_of_work import UnitOfWork
from colonnade.models.clock import utc_now
from colonnade.policy.access import Access, Permit, refusal
from colonnade.query.compile import CompiledStatement, Statement, compile_statement
from colonnade.query.parents import named
from colonnade.query.precondition import UNCONDITIONAL, Precondition
from colonnade.query.selection import Selection, select_for
from colonnade.query.shape import Row
from colonnade.query.values import read_default
from colonnade.query.wire import key_converter_of
from colonnade.query.writes import plan_delete, plan_hide, plan_insert, plan_reach, plan_restore, plan_update
from colonnade.schemas.fit import fit_values
from colonnade.schemas.projection import Projection
from colonnade.services.applying import Applier, view_after, view_of
from colonnade.services.blueprint import Blueprint, PlanCache
from colonnade.services.document import Document
from colonnade.services.family import children_of
from colonnade.services.followups import Followups
from colonnade.services.hooks import Action, Change
from colonnade.services.reading import Reader
from colonnade.services.references import located

Result = TypeVar("Result")
Kind = Literal["create", "update", "hide", "delete", "restore", "reach"]
"""What a statement does; a deletion hides its row or removes it, and the last one only looks."""


class Created(NamedTuple):
    """A new row as the wire shows it, and the id that it was given."""

    document: Document
    id: object


class Writer:
    """Changes the rows of one resource.

    Args:
        blueprint: the resource.
        reader: shows the rows that were changed.
    """

    def __init__(self, blueprint: Blueprint, reader: Reader) -> None:
        self.blueprint = blueprint
        self.reader = reader
        self._facts = blueprint.facts
        self._plans = PlanCache()
        self._tells = blueprint.service.overrides("after_commit")
        projection = reader.whole.projection
        # RETURNING gives the columns of one table.
        self._shown_whole = projection is not None and not projection.nested
        self.followups = Followups(blueprint, reader)
        self._applier = Applier(blueprint, reader, self.check)
        self._projection = projection or Projection((), (), ())

    async def create(self, database: Database, values: dict[str, Any], permit: Permit | None = None) -> Created:
        """Store a new row.

        Args:
            database: where.
            values: by attribute, as the schema let them through; hooks may change them.
            permit: of whoever makes it; None for the application itself, here and below.

        Returns:
            The row with what the database and the defaults added, once the commit stands.

        Raises:
            InvalidBodyError: CLN201, a value does not fit its column.
            AccessError: CLN300, CLN301, it is no row that the principal may make.
            StateError: CLN410 to CLN421, a constraint refuses it.
            ProblemError: whatever a hook raises.
        """
        change = await self.prepare("create", None, values, permit=permit)
        if not self.is_planned("create"):
            return await self._retried(database, change, lambda: self._create_by_session(database, change))
        self.check(change)
        outcomes = await self._commit(database, "create", change)
        if not outcomes[0].affected:
            raise await self._without_parent(database, change)
        row = outcomes[-1].rows[0]
        document = await self._shown(database, change, row)
        change.id = self._returned(database, change, row)
        await self.finish(database, change)
        return Created(document, change.id)

    async def update(
        self,
        database: Database,
        id: object,
        values: dict[str, Any],
        action: Action = "update",
        precondition: Precondition = UNCONDITIONAL,
        permit: Permit | None = None,
    ) -> Document:
        """Change the columns that are given, and no other; none given changes nothing, the version included (RFC 7396).

        Args:
            database: where.
            id: of the row.
            values: by attribute, as the schema let them through; hooks may change them.
            action: `update`, or `replace` for the hooks to know.
            precondition: what must hold of the row.
            permit: of whoever makes it.

        Raises:
            NotFoundError: CLN400, before any precondition; also where the row is out of reach.
            ForbiddenError: CLN301, before any precondition too: it may be read and not changed, or not so.
            InvalidBodyError: CLN201, a value does not fit its column.
            StateError: CLN410 to CLN432, a constraint or the precondition refuses it.
        """
        change = await self.prepare(action, id, values, precondition, permit=permit)
        if not change.values:
            return await self._unchanged(database, change)
        if not self.is_planned("update") or self._needs_lock(precondition):
            return await self._retried(database, change, lambda: self._update_by_session(database, change))
        self.check(change)
        outcomes = await self._commit(database, "update", change)
        # Without RETURNING the second statement shows the row, whatever became of the first one.
        if not outcomes[0].affected or not outcomes[-1].rows:
            raise await self._refusal(database, change)
        document = await self._shown(database, change, outcomes[-1].rows[0])
        await self.finish(database, change)
        return document

    async def delete(
        self,
        database: Database,
        id: object,
        precondition: Precondition = UNCONDITIONAL,
        *,
        permanent: bool = False,
        permit: Permit | None = None,
    ) -> None:
        """Delete a row: softly where its table knows that, and it is seen no more; for good elsewhere.

        Args:
            database: where.
            id: of the row.
            precondition: what must hold of the row.
            permanent: for good in any case, even if it is deleted softly already.
            permit: of whoever makes it.

        Raises:
            NotFoundError: CLN400, also the second time, and where the row is out of reach.
            ForbiddenError: CLN301, it may be read and not deleted.
            ForeignKeyError: CLN411, others still refer to it.
            StateError: CLN431 or CLN432, the precondition refuses it.
        """
        change = await self.prepare("delete", id, {}, precondition, permanent=permanent, permit=permit)
        if not self.is_planned("delete") or self._needs_lock(precondition):
            await self._retried(database, change, lambda: self._delete_by_session(database, change))
            return
        outcomes = await self._commit(database, self._deletion(change), change)
        if not outcomes[0].affected:
            raise await self._refusal(database, change)
        await self.finish(database, change)

    async def restore(
        self,
        database: Database,
        id: object,
        precondition: Precondition = UNCONDITIONAL,
        permit: Permit | None = None,
    ) -> Document:
        """Bring back a row that was deleted softly, and what went with it.

        Raises:
            NotFoundError: CLN400, there is none that is deleted, or it is out of reach.
            ForbiddenError: CLN301, it may be read and not restored.
            UniqueError: CLN410, another row has taken one of its unique values.
            StateError: CLN431 or CLN432, the precondition refuses it.
        """
        change = await self.prepare("restore", id, {}, precondition, permit=permit)
        if not self.is_planned("restore") or self._needs_lock(precondition):
            return await self._retried(database, change, lambda: self._update_by_session(database, change))
        outcomes = await self._commit(database, "restore", change)
        if not outcomes[0].affected:
            raise await self._refusal(database, change)
        document = await self._shown(database, change, outcomes[-1].rows[0])
        await self.finish(database, change)
        return document

    async def prepare(
        self,
        action: Action,
        id: object,
        values: dict[str, Any],
        precondition: Precondition = UNCONDITIONAL,
        *,
        permanent: bool = False,
        permit: Permit | None = None,
    ) -> Change:
        """Begin a change: what needs no transaction is done before there is one."""
        change = Change(action, values, id, permanent=permanent, precondition=precondition, permit=permit)
        await self.blueprint.service.prepare(change)
        return change

    def _needs_lock(self, precondition: Precondition) -> bool:
        """Tell whether the row has to be read under a lock to judge a demand: all but one version, which WHERE decides."""
        if precondition.none_match is not None:
            return True
        match = precondition.match
        if self._facts.version is None:
            return match is not None and not match.any
        versions = precondition.versions
        return versions is not None and len(versions) != 1

    async def _unchanged(self, database: Database, change: Change) -> Document:
        """Show a row as it is, once the demand on it is found to hold."""
        document = await self._permitted(database, change)
        if (problem := change.precondition.judge(document.state, document.version)) is not None:
            raise problem
        return document

    async def _refusal(self, database: Database, change: Change) -> ProblemError:
        """Tell why no row was changed, by one more read: it is not there, or not as was demanded."""
        document = await self._permitted(database, change)
        # Between the two statements it may even have become what was demanded; the change was refused all the same.
        if (problem := change.precondition.judge(document.state, document.version)) is not None:
            return problem
        if any(named(self._facts, change.values)):
            return await self._without_parent(database, change)
        return StaleVersionError("Version conflict.")

    async def _without_parent(self, database: Database, change: Change) -> ForeignKeyError:
        """Tell which parent of a row is not there, or deleted softly."""
        error = ForeignKeyError("A row that this one refers to is not there any more.")
        return await self.located(database, error, change.action, change.values)

    async def _permitted(self, database: Database, change: Change) -> Document:
        """Read the row of a change, which its principal has to see, and may change as it wants to."""
        document = await self.reader.get(database, change.id, view_of(change))
        if change.permit is not None and (access := change.permit.restricts) is not None:
            (look,) = self._plan(database, "reach", (), False, access)
            if not await database.fetch(look.bind({"id": change.id, **change.permit.bound})):
                raise refusal(change.principal)
        return document

    async def _shown(self, database: Database, change: Change, row: Row) -> Document:
        view = view_after(change)
        read = self.reader.compiled_get(database, view)
        assert read is not None  # _shown_whole says so
        return await self.reader.document(database, read, row, view)

    def _returned(self, database: Database, change: Change, row: Row) -> object:
        """Give the id that a returned row has, as Python knows it."""
        convert = key_converter_of(self._facts.identity, database.dialect)
        return convert(row[self.selection(change.permit).identity])

    def selection(self, permit: Permit | None = None) -> Selection:
        """Give the columns by which a changed row is shown to whoever changed it."""
        after = None if permit is None else permit.after
        access = None if after is None else after.access
        found: Any = self._plans.get(("selection", access))
        if found is None:
            found = self._plans["selection", access] = select_for(self._facts, self._projection, access=access)
        return found  # type: ignore[no-any-return]

    def is_planned(self, action: Action) -> bool:
        """Tell whether a change goes the compiled way: no hook inside its transaction, and one table's columns to show."""
        kind = "update" if action == "replace" else action
        if kind in self.blueprint.service.transactional or not (self._shown_whole or kind == "delete"):
            return False
        return self._facts.deleted is None or kind not in {"delete", "restore"} or not children_of(self._facts.model)

    def take_children_along(self, changes: Sequence[Change]) -> bool:
        """Tell whether changes are soft deletions that may be made together: no hook, no demand, nothing to ask of a row."""
        if self._facts.deleted is None or "delete" in self.blueprint.service.transactional:
            return False
        return all(
            change.action == "delete"
            and not change.permanent
            and change.precondition is UNCONDITIONAL
            and (change.permit is None or change.permit.restricts is None)
            for change in changes
        )

    def check(self, change: Change) -> None:
        """Refuse values that do not fit their columns, that have none, or that its principal may not give a row.

        Raises:
            InvalidBodyError: CLN201.
            AccessError: CLN300, CLN301.
            DeclarationError: a hook has left a name that no column has.
        """
        values = change.values
        if unknown := values.keys() - self._facts.columns.keys():
            names = ", ".join(sorted(unknown))
            raise DeclarationError(
                f"{self.blueprint.label} has no column for: {names}; take them out of change.values in a hook"
            )
        fit_values(self._facts, values)
        if change.permit is not None:
            self._check_permit(change, change.permit)

    def _check_permit(self, change: Change, permit: Permit) -> None:
        if change.action != "create":
            change.permit = permit.keeping(change.values)
        elif permit.restricts is not None:
            permit.require(partial(self._new_value, change.values))

    def _new_value(self, values: Mapping[str, object], key: str) -> object:
        """Tell what a new row has in a column, by the values that are given and by the column's own default."""
        if key in values:
            return values[key]
        column = self._facts.columns[key]
        return read_default(column) if column.default is None else column.default()

    async def _commit(self, database: Database, kind: Kind, change: Change) -> list[Outcome]:
        """Commit the plan of a change: here it becomes durable."""
        statements = self._bound(database, kind, change)
        try:
            if self.followups.are_none(change):
                return await database.commit(statements)
            return await database.retry(lambda: self._commit_with_followups(database, statements, change))
        except ForeignKeyError as error:
            raise await self.located(database, error, change.action, change.values) from error

    async def _commit_with_followups(
        self, database: Database, statements: list[Statement], change: Change
    ) -> list[Outcome]:
        """Commit the plan of a change together with the jobs that follow from it, if it changes anything."""
        async with database.unit_of_work() as unit:
            outcomes = [await unit.run(statement) for statement in statements]
            if outcomes[0].affected:
                id = self._returned(database, change, outcomes[-1].rows[0]) if change.action == "create" else change.id
                await self.followups.store(unit.session, [replace(change, id=id)])
            await unit.commit()
        return outcomes

    def planned(self, database: Database, change: Change) -> list[Statement]:
        """Give the statements of a prepared change that goes the compiled way, for a transaction of the caller's.

        The first one affects no row where it is not there, or not as it is demanded; the last one gives a changed row back.
        """
        if change.action == "delete":
            return self._bound(database, self._deletion(change), change)
        return self._bound(database, "create" if change.action == "create" else "update", change)

    def _deletion(self, change: Change) -> Kind:
        return "delete" if self._facts.deleted is None or change.permanent else "hide"

    def _bound(self, database: Database, kind: Kind, change: Change) -> list[Statement]:
        """Bind the values into the plan of their shape."""
        stored = self._stored(kind, change.values)
        bound: dict[str, object] = {f"v_{key}": value for key, value in stored.items()}
        bound["id"] = change.id
        versions = None if change.precondition is UNCONDITIONAL else change.precondition.versions
        if versions is not None:
            (bound["expected"],) = versions
        access = None
        if change.permit is not None and (access := change.permit.restricts) is not None:
            bound |= change.permit.bound
        statements = self._plan(database, kind, tuple(stored), versions is not None, access)
        return [statement.bind(bound) for statement in statements]

    def _stored(self, kind: Kind, values: Mapping[str, object]) -> Mapping[str, object]:
        """Give what goes into the columns, by attribute."""
        match kind:
            case "delete":
                return {}
            case "hide":
                return self._facts.hidden(utc_now())
            case "restore":
                return self._facts.restored()
        return self._facts.fill(values, new=kind == "create")

    def _plan(
        self, database: Database, kind: Kind, keys: tuple[str, ...], versioned: bool, access: Access | None
    ) -> list[CompiledStatement]:
        shape = (database.driver_name, kind, keys, versioned, access)
        found: Any = self._plans.get(shape)
        if found is None:
            statements: list[Any] = self._make_plan(database.dialect.name, kind, keys, versioned, access)
            found = self._plans[shape] = [compile_statement(one, database.dialect) for one in statements]
        return found  # type: ignore[no-any-return]

    def _make_plan(
        self, dialect: str, kind: Kind, keys: tuple[str, ...], versioned: bool, access: Access | None
    ) -> list[sa.Executable]:
        facts, read = self._facts, self.selection(None if access is None else Permit(access))
        reach = [] if access is None else access.reach()
        match kind:
            case "create":
                return plan_insert(facts, read, keys, dialect)
            case "update":
                return plan_update(facts, read, keys, dialect, versioned=versioned, reach=reach)
            case "hide":
                return plan_hide(facts, keys, dialect, versioned=versioned, reach=reach)
            case "restore":
                return plan_restore(facts, read, keys, dialect, versioned=versioned, reach=reach)
            case "reach":
                return plan_reach(facts, reach)
        return plan_delete(facts, dialect, versioned=versioned, reach=reach)

    async def _retried(self, database: Database, change: Change, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do a whole transaction of hooks, and once more while others get in its way."""
        try:
            return await database.retry(work)
        except ForeignKeyError as error:
            raise await self.located(database, error, change.action, change.values) from error

    async def located(
        self,
        database: Database,
        error: ForeignKeyError,
        action: Action,
        values: Mapping[str, object],
        session: AsyncSession | None = None,
    ) -> ForeignKeyError:
        """Name the field of a broken reference where the database did not: SQLite tells no name of a foreign key.

        Args:
            database: where.
            error: what it said.
            action: what was tried.
            values: with which values.
            session: whose transaction is still open, if one is; another one might wait for it.
        """
        return await located(database, self._facts, error, None if action == "delete" else values, session)

    async def apply(self, unit: UnitOfWork, change: Change) -> Change:
        """Do one prepared change in a transaction of the caller's: its hooks and its statement, and no commit.

        Args:
            unit: entered; the caller commits it, and calls `finish` after that.
            change: not altered, so that a transaction that is tried again starts from what the client sent.

        Returns:
            The change as the hooks left it, with the row's id.

        Raises:
            ProblemError: whatever a hook raises, or a missing row; a database's own error comes as it is.
        """
        return await self._applier.apply(unit, change)

    async def look(self, unit: UnitOfWork, change: Change) -> None:
        """Hold the row of a change that has no values to what is demanded of it, under its lock.

        Raises:
            ProblemError: it is not there, or not as demanded, or not the principal's to change.
        """
        await self._applier.load(unit, change)

    async def finish(self, database: Database, attempt: Change) -> None:
        """Call the last hook of a change that was made, once its transaction is over."""
        attempt._session = None
        if self._tells:
            await database.settle(partial(self.blueprint.service.after_commit, attempt))

    async def _create_by_session(self, database: Database, change: Change) -> Created:
        async with database.unit_of_work() as unit:
            attempt = await self.apply(unit, change)
            document = await self.reader.read_in(unit.session, attempt.id, view_after(attempt))
            await unit.commit()
        await self.finish(database, attempt)
        return Created(document, attempt.id)

    async def _update_by_session(self, database: Database, change: Change) -> Document:
        async with database.unit_of_work() as unit:
            attempt = await self.apply(unit, change)
            document = await self.reader.read_in(unit.session, attempt.id, view_after(attempt))
            await unit.commit()
        await self.finish(database, attempt)
        return document

    async def _delete_by_session(self, database: Database, change: Change) -> None:
        async with database.unit_of_work() as unit:
            attempt = await self.apply(unit, change)
            await unit.commit()
        await self.finish(database, attempt)
