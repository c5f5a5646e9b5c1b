"""Changing one row: prepare, plan, one transaction, a visible commit, and the row as it became.

Two ways again. Without a hook inside the transaction, and with a response that is one table's columns, the whole change is
one planned statement (two on MariaDB). Otherwise a unit of work opens a session for the hooks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from colonnade.core.errors import DeclarationError, Fault, ForeignKeyError
from colonnade.database.database import Database
from colonnade.database.driver import Outcome
from colonnade.database.unit_of_work import UnitOfWork
from colonnade.query.compile import CompiledStatement, compile_statement
from colonnade.query.selection import select_for
from colonnade.query.shape import Row
from colonnade.query.wire import key_converter_of
from colonnade.query.writes import plan_delete, plan_insert, plan_update
from colonnade.schemas.fit import fit_values
from colonnade.schemas.projection import Projection
from colonnade.services.blueprint import Blueprint, PlanCache
from colonnade.services.hooks import Action, Change
from colonnade.services.reading import Document, Reader

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
        self._reader = reader
        self._facts = blueprint.facts
        self._plans = PlanCache()
        projection = reader.whole.projection
        # RETURNING gives the columns of one table.
        self._shown_whole = projection is not None and not projection.nested
        self._selection = select_for(self._facts, projection or Projection((), (), ()))

    async def create(self, database: Database, values: dict[str, Any]) -> Created:
        """Store a new row.

        Args:
            database: where.
            values: by attribute, as the schema let them through; hooks may change them.

        Returns:
            The row with what the database and the defaults added, once the commit stands.

        Raises:
            InvalidBodyError: CLN201, a value does not fit its column.
            StateError: CLN410 to CLN421, a constraint refuses it.
            ProblemError: whatever a hook raises.
        """
        change = await self.prepare("create", None, values)
        if "create" in self.blueprint.service.transactional or not self._shown_whole:
            return await self._retried(database, change, lambda: self._create_by_session(database, change))
        self._check(change.values)
        outcomes = await self._commit(database, "create", change.values)
        row = outcomes[-1].rows[0]
        document = await self._shown(database, row)
        change.id = self._returned(database, row)
        await self.blueprint.service.after_commit(change)
        return Created(document, change.id)

    async def update(
        self, database: Database, id: object, values: dict[str, Any], action: Action = "update"
    ) -> Document:
        """Change the columns that are given, and no other; none given changes nothing, the version included (RFC 7396).

        Raises:
            NotFoundError: CLN400.
            InvalidBodyError: CLN201, a value does not fit its column.
            StateError: CLN410 to CLN421, a constraint refuses it.
        """
        change = await self.prepare(action, id, values)
        if not change.values:
            return await self._reader.get(database, id)
        if "update" in self.blueprint.service.transactional or not self._shown_whole:
            return await self._retried(database, change, lambda: self._update_by_session(database, change))
        self._check(change.values)
        outcomes = await self._commit(database, "update", change.values, id)
        if not outcomes[-1].rows:
            raise self._reader.missing(id)
        document = await self._shown(database, outcomes[-1].rows[0])
        await self.blueprint.service.after_commit(change)
        return document

    async def delete(self, database: Database, id: object) -> None:
        """Remove a row.

        Raises:
            NotFoundError: CLN400, also the second time.
            ForeignKeyError: CLN411, others still refer to it.
        """
        change = await self.prepare("delete", id, {})
        if "delete" in self.blueprint.service.transactional:
            await self._retried(database, change, lambda: self._delete_by_session(database, change))
            return
        outcomes = await self._commit(database, "delete", {}, id)
        if not outcomes[0].affected:
            raise self._reader.missing(id)
        await self.blueprint.service.after_commit(change)

    async def prepare(self, action: Action, id: object, values: dict[str, Any]) -> Change:
        """Begin a change: what needs no transaction is done before there is one."""
        change = Change(action, values, id)
        await self.blueprint.service.prepare(change)
        return change

    async def _shown(self, database: Database, row: Row) -> Document:
        read = self._reader.compiled_get(database)
        assert read is not None  # _shown_whole says so
        return await self._reader.document(database, read, row)

    def _returned(self, database: Database, row: Row) -> object:
        """Give the id that a returned row has, as Python knows it."""
        convert = key_converter_of(self._facts.identity, database.dialect)
        return convert(row[self._selection.identity])

    def _check(self, values: Mapping[str, object]) -> None:
        if unknown := values.keys() - self._facts.columns.keys():
            names = ", ".join(sorted(unknown))
            raise DeclarationError(
                f"{self.blueprint.label} has no column for: {names}; take them out of change.values in a hook"
            )
        fit_values(self._facts, values)

    async def _commit(
        self, database: Database, action: Action, values: Mapping[str, object], id: object = None
    ) -> list[Outcome]:
        """Bind the values into the plan of their shape and commit it: here the change becomes durable."""
        stored = values if action == "delete" else self._facts.fill(values, new=action == "create")
        statements = self._plan(database, action, tuple(stored))
        bound: dict[str, object] = {f"v_{key}": value for key, value in stored.items()}
        bound["id"] = id
        try:
            return await database.commit([statement.bind(bound) for statement in statements])
        except ForeignKeyError as error:
            raise await self._located(database, error, action, values) from error

    def _plan(self, database: Database, action: Action, keys: tuple[str, ...]) -> list[CompiledStatement]:
        shape = (database.driver_name, action, keys)
        found: Any = self._plans.get(shape)
        if found is None:
            statements: list[Any] = self._make_plan(database.dialect.name, action, keys)
            found = self._plans[shape] = [compile_statement(one, database.dialect) for one in statements]
        return found  # type: ignore[no-any-return]

    def _make_plan(self, dialect: str, action: Action, keys: tuple[str, ...]) -> list[sa.Executable]:
        if action == "delete":
            return plan_delete(self._facts, dialect)
        make = plan_insert if action == "create" else plan_update
        return make(self._facts, self._selection, keys, dialect)

    async def _retried(self, database: Database, change: Change, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do a whole transaction of hooks, and once more while others get in its way."""
        try:
            return await database.retry(work)
        except ForeignKeyError as error:
            raise await self._located(database, error, change.action, change.values) from error

    async def _located(
        self, database: Database, error: ForeignKeyError, action: Action, values: Mapping[str, object]
    ) -> ForeignKeyError:
        """Name the field of a broken reference where the database did not: SQLite tells no name of a foreign key."""
        if action == "delete":
            return ForeignKeyError("Other rows still refer to this one; delete or change them first.")
        faults = list(error.faults) or [
            Fault("reference_missing", "No such row.", pointer=f"/{key}")
            for key, value in values.items()
            if value is not None and key in self._facts.columns and await self._dangles(database, key, value)
        ]
        if error.faults or not faults:
            return error
        named = " and ".join(f"'{(fault.pointer or '')[1:]}'" for fault in faults)
        return ForeignKeyError(f"There is no row that {named} refers to.", faults=faults)

    async def _dangles(self, database: Database, key: str, value: object) -> bool:
        async with database.session(read_only=True) as session:
            for reference in self._facts.columns[key].column.foreign_keys:
                if await session.scalar(sa.select(reference.column).where(reference.column == value)) is None:
                    return True
        return False

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
        attempt = self._begin(unit, change, dict(change.values))
        if change.action == "create":
            await self._create_in(attempt)
        elif change.action == "delete":
            await self._delete_in(attempt)
        else:
            await self._update_in(attempt)
        await unit.session.flush()
        return attempt

    async def finish(self, attempt: Change) -> None:
        """Call the last hook of a change that was applied, once its transaction is over."""
        attempt._session = None
        await self.blueprint.service.after_commit(attempt)

    async def _create_by_session(self, database: Database, change: Change) -> Created:
        async with database.unit_of_work() as unit:
            attempt = await self.apply(unit, change)
            document = await self._reader.read_in(unit.session, attempt.id)
            await unit.commit()
        await self.finish(attempt)
        return Created(document, attempt.id)

    async def _update_by_session(self, database: Database, change: Change) -> Document:
        async with database.unit_of_work() as unit:
            attempt = await self.apply(unit, change)
            document = await self._reader.read_in(unit.session, attempt.id)
            await unit.commit()
        await self.finish(attempt)
        return document

    async def _delete_by_session(self, database: Database, change: Change) -> None:
        async with database.unit_of_work() as unit:
            attempt = await self.apply(unit, change)
            await unit.commit()
        await self.finish(attempt)

    async def _create_in(self, attempt: Change) -> None:
        service = self.blueprint.service
        await service.before_create(attempt)
        self._check(attempt.values)
        stored = self._columns(self._facts.fill(attempt.values, new=True))
        result: Any = await attempt.session.execute(sa.insert(self._facts.table).values(stored))
        attempt.id = result.inserted_primary_key[0]
        await service.after_create(attempt)

    async def _update_in(self, attempt: Change) -> None:
        service = self.blueprint.service
        await self._load(attempt)
        await service.before_update(attempt)
        self._check(attempt.values)
        await self._store(attempt)
        await service.after_update(attempt)

    async def _delete_in(self, attempt: Change) -> None:
        service = self.blueprint.service
        await self._load(attempt)
        await service.before_delete(attempt)
        await attempt.session.execute(sa.delete(self._facts.table).where(self._facts.identity.column == attempt.id))
        await service.after_delete(attempt)

    @staticmethod
    def _begin(unit: UnitOfWork, change: Change, values: dict[str, Any]) -> Change:
        """Give each try of a transaction its own copy, so that a repeated one starts from what the client sent."""
        return Change(change.action, values, change.id, notes=dict(change.notes), _session=unit.session)

    async def _load(self, attempt: Change) -> None:
        attempt.row = await attempt.session.get(self._facts.model, attempt.id, with_for_update=True)
        if attempt.row is None:
            raise self._reader.missing(attempt.id)

    async def _store(self, attempt: Change) -> None:
        if not attempt.values:
            return
        columns = self._columns(self._facts.fill(attempt.values, new=False))
        if self._facts.version is not None:
            columns[self._facts.version.column] = self._facts.version.column + 1
        changed = sa.update(self._facts.table).where(self._facts.identity.column == attempt.id).values(columns)
        await attempt.session.execute(changed)
        await attempt.session.refresh(attempt.row)

    def _columns(self, values: Mapping[str, object]) -> dict[Any, Any]:
        return {self._facts.columns[key].column: value for key, value in values.items()}
