"""Changing one row: prepare, plan, one transaction, a visible commit, and the row as it became.

Two ways again. Without a hook inside the transaction, and with a response that is one table's columns, the whole change is
one planned statement (two on MariaDB). Otherwise a unit of work opens a session for the hooks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ForeignKeyError, ProblemError, StaleVersionError
from colonnade.database.database import Database
from colonnade.database.driver import Outcome
from colonnade.database.unit_of_work import UnitOfWork
from colonnade.policy.access import Permit, refusal
from colonnade.query.compile import Statement
from colonnade.query.parents import named
from colonnade.query.precondition import UNCONDITIONAL, Precondition
from colonnade.query.shape import Row
from colonnade.schemas.projection import Projection
from colonnade.services.applying import Applier, view_after, view_of
from colonnade.services.blueprint import Blueprint
from colonnade.services.change_plans import ChangePlans, Kind
from colonnade.services.checking import Checker
from colonnade.services.document import Document
from colonnade.services.family import children_of
from colonnade.services.followups import Followups
from colonnade.services.history import History, is_purge
from colonnade.services.hooks import Action, Change
from colonnade.services.planned_history import PlannedHistory
from colonnade.services.reading import Reader
from colonnade.services.references import located, named_by

Result = TypeVar("Result")


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
        self._tells = blueprint.service.overrides("after_commit")
        projection = reader.whole.projection
        # RETURNING gives the columns of one table.
        self._shown_whole = projection is not None and not projection.nested
        self.followups = Followups(blueprint, reader)
        self.history = History(self._facts)
        self.check = Checker(blueprint)
        shown = projection or Projection((), (), ())
        self.plans = ChangePlans(self._facts, shown)
        self._planned_history = PlannedHistory(self.history, self._facts, shown)
        self._applier = Applier(blueprint, reader, self.check)

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
            raise await self._without_parent(database, change, change.values)
        row = outcomes[-1].rows[0]
        document = await self._shown(database, change, row)
        change.id = self.plans.id_of(database, change, row)
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
        outcomes = await self._commit(database, self.plans.deletion(change), change)
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
            ForeignKeyError: CLN411, a row that it refers to is deleted softly.
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
        values = await named_by(database, self._facts, change.id) if change.action == "restore" else change.values
        if any(named(self._facts, values)):
            return await self._without_parent(database, change, values)
        return StaleVersionError("Version conflict.")

    async def _without_parent(
        self, database: Database, change: Change, values: Mapping[str, object]
    ) -> ForeignKeyError:
        """Tell which parent of a row is not there, or deleted softly."""
        error = ForeignKeyError("A row that this one refers to is not there any more.")
        return await self.located(database, error, change.action, values)

    async def _permitted(self, database: Database, change: Change) -> Document:
        """Read the row of a change, which its principal has to see, and may change as it wants to."""
        document = await self.reader.get(database, change.id, view_of(change))
        if change.permit is not None and (access := change.permit.restricts) is not None:
            look = self.plans.look(database, change, access)
            if not await database.fetch(look):
                raise refusal(change.principal)
        return document

    async def _shown(self, database: Database, change: Change, row: Row) -> Document:
        view = view_after(change)
        read = self.reader.compiled_get(database, view)
        assert read is not None  # _shown_whole says so
        return await self.reader.document(database, read, row, view)

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

    async def _commit(self, database: Database, kind: Kind, change: Change) -> list[Outcome]:
        """Commit the plan of a change: here it becomes durable."""
        recorded = self.history.is_kept
        follow = None if self.followups.are_none(change) else partial(self._follow, database, change)
        try:
            if (recorded and is_purge(change)) or (follow is not None and not self._shows_enough(change)):
                statements = self.plans.bound(database, kind, change)
                return await database.retry(lambda: self._commit_with_others(database, statements, change))
            if not recorded:
                return await database.commit(self.plans.bound(database, kind, change), follow)
            shown = self.plans.selection(change.permit)
            return await self._planned_history.commit(database, kind, change, shown, follow)
        except ForeignKeyError as error:
            raise await self.located(database, error, change.action, change.values) from error

    def _shows_enough(self, change: Change) -> bool:
        """Tell whether a change gives its row back as subscribers see it, if there are any: who makes it sees all of it."""
        return not self.blueprint.service.publishes or change.permit is None or change.permit.after is None

    def _follow(self, database: Database, change: Change, outcomes: Sequence[Outcome]) -> list[Statement]:
        """Give the statements that store what follows from a change, if it changes anything."""
        if not outcomes[0].affected:
            return []
        row = None if change.action == "delete" else outcomes[-1].rows[0]
        id = self.plans.id_of(database, change, row) if change.action == "create" and row is not None else change.id
        return self.followups.planned(database, replace(change, id=id), self.reader.compiled_get(database), row)

    async def _commit_with_others(
        self, database: Database, statements: list[Statement], change: Change
    ) -> list[Outcome]:
        """Commit the plan of a change together with its history and the jobs that follow from it, if it changes anything."""
        async with database.unit_of_work() as unit:
            before = await self.history.look(unit.session, [change])
            outcomes = [await unit.run(statement) for statement in statements]
            if outcomes[0].affected:
                id = (
                    self.plans.id_of(database, change, outcomes[-1].rows[0]) if change.action == "create" else change.id
                )
                made = [replace(change, id=id)]
                await self.history.record(unit.session, made, before)
                await self.followups.store(unit.session, made)
            await unit.commit()
        return outcomes

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
