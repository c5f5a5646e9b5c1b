"""One change inside an open transaction: its hooks, the row under its lock, the statement; no commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.database.unit_of_work import UnitOfWork
from colonnade.models.clock import utc_now
from colonnade.query.parents import named, needed_parents
from colonnade.query.precondition import UNCONDITIONAL
from colonnade.query.request import WHOLE, View
from colonnade.query.writes import insert_row, new_values
from colonnade.services.blueprint import Blueprint
from colonnade.services.family import delete_below, hold_others_below, refuse_if_needed, restore_below
from colonnade.services.followups import Followups
from colonnade.services.history import History
from colonnade.services.hooks import Change
from colonnade.services.reading import Reader
from colonnade.services.references import hold_parents

GONE, ANY = View(deleted="only"), View(deleted="include")


def view_of(change: Change) -> View:
    """Tell among which rows the one of a change is looked for: those that are seen, unless it is restored or purged."""
    view = GONE if change.action == "restore" else ANY if change.permanent else WHOLE
    permit = None if change.permit is None else change.permit.before
    return view if permit is None else View(deleted=view.deleted, permit=permit)


def view_after(change: Change) -> View:
    """Tell how the row of a change is shown to whoever made it."""
    permit = None if change.permit is None else change.permit.after
    return WHOLE if permit is None else View(permit=permit)


class Applier:
    """Makes the changes of one resource in a transaction of the caller's.

    Args:
        blueprint: the resource.
        reader: tells what is missing.
        check: refuses values that do not fit, or that are not the principal's to give.
    """

    def __init__(self, blueprint: Blueprint, reader: Reader, check: Callable[[Change], None]) -> None:
        self._service = blueprint.service
        self._followups = Followups(blueprint, reader)
        self._history = History(blueprint.facts)
        self._facts = blueprint.facts
        self._reader = reader
        self._check = check

    async def apply(self, unit: UnitOfWork, change: Change) -> Change:
        """Make one change, on a copy of it: a transaction that is tried again starts from what the client sent.

        Returns:
            The change as the hooks left it, with the row's id.
        """
        attempt = replace(change, values=dict(change.values), notes=dict(change.notes), _session=unit.session)
        before = await self._history.look(unit.session, [attempt])
        match change.action:
            case "create":
                await self._create(attempt)
            case "delete":
                await self._delete(attempt)
            case "restore":
                await self._restore(attempt)
            case _:
                await self._update(attempt)
        await unit.session.flush()
        await self._history.record(unit.session, [attempt], before)
        if self._followups.are_needed:
            await self._followups.store(unit.session, [attempt])
        return attempt

    async def load(self, unit: UnitOfWork, change: Change) -> None:
        """Lock the row of a change, and hold it to whatever is demanded of it."""
        await self._load(replace(change, _session=unit.session))

    async def _create(self, attempt: Change) -> None:
        if attempt.permit is not None:
            attempt.permit.keeping(attempt.values)  # what is refused already shall have no hook do anything
        await self._service.before_create(attempt)
        self._check(attempt)
        attempt.id = await self._insert(attempt.session, self._facts.fill(attempt.values, new=True))
        await self._service.after_create(attempt)

    async def _insert(self, session: AsyncSession, values: dict[str, object]) -> object:
        """Store a row and give its id."""
        if any(named(self._facts, values)):
            if session.get_bind().dialect.insert_returning:
                insert = insert_row(self._facts, tuple(values)).returning(self._facts.identity.column)
                found = await session.execute(insert, {f"v_{key}": value for key, value in values.items()})
                if (row := found.first()) is not None:
                    return row[0]
            await hold_parents(session, self._facts, values)
        result: Any = await session.execute(sa.insert(self._facts.table).values(self._columns(values)))
        return result.inserted_primary_key[0]

    async def _update(self, attempt: Change) -> None:
        await self._load(attempt)
        await self._service.before_update(attempt)
        self._check(attempt)
        self._require_permit(attempt)  # of the values as the hook has left them
        if attempt.values:
            await hold_parents(attempt.session, self._facts, attempt.values)
            await self._store(attempt, self._facts.fill(attempt.values, new=False))
        await self._service.after_update(attempt)

    async def _delete(self, attempt: Change) -> None:
        await self._load(attempt)
        await self._service.before_delete(attempt)
        if self._facts.deleted is None or attempt.permanent:
            await attempt.session.execute(sa.delete(self._facts.table).where(self._is_it(attempt)))
        else:
            await self._hide(attempt)
        await self._service.after_delete(attempt)

    async def _hide(self, attempt: Change) -> None:
        model, now = self._facts.model, utc_now()
        chosen = sa.select(self._facts.identity.column).where(self._is_it(attempt))
        await refuse_if_needed(attempt.session, model, chosen)
        await self._store(attempt, self._facts.hidden(now))
        await delete_below(attempt, model, chosen, now)

    async def _restore(self, attempt: Change) -> None:
        await self._load(attempt)
        await self._service.before_restore(attempt)
        chosen = sa.select(self._facts.identity.column).where(self._is_it(attempt))
        await restore_below(attempt, self._facts.model, chosen, attempt.row.deleted_at)
        await self._store(attempt, self._facts.restored())
        # Now, not before: a row may name one of those that came back with it.
        needed = {key: getattr(attempt.row, key) for key in needed_parents(self._facts.model)}
        await hold_parents(attempt.session, self._facts, needed)
        await hold_others_below(attempt.session, self._facts.model, chosen)
        await self._service.after_restore(attempt)

    async def _load(self, attempt: Change) -> None:
        """Lock the row as it is, and hold it to what the client demands of it: it stays so until the commit."""
        view = view_of(attempt)
        model = self._facts.model
        # Its own row only: PostgreSQL locks none behind the outer join of a relation that a model loads along.
        row = await attempt.session.get(
            model, attempt.id, with_for_update={"of": model}, execution_options={"with_deleted": True}
        )
        if row is None or not self._is_seen(row, view):
            raise self._reader.missing(attempt.id)
        attempt.row = row
        self._require_permit(attempt)
        if attempt.precondition is UNCONDITIONAL:
            return
        version = None if self._facts.version is None else getattr(row, self._facts.version.key)
        if version is not None:
            state = str(version)
        else:
            state = (await self._reader.read_in(attempt.session, attempt.id, view)).state
        if (refusal := attempt.precondition.judge(state, version)) is not None:
            raise refusal

    def _require_permit(self, attempt: Change) -> None:
        """Ask of the row, under its lock, and of the known values what a planned statement asks."""
        permit = attempt.permit
        if permit is None or permit.restricts is None:
            return

        def value_of(key: str) -> object:
            return getattr(attempt.row, key)

        if permit.before is not None and not permit.before.access.has(value_of, permit.principal.id):
            raise self._reader.missing(attempt.id)
        permit.keeping(attempt.values).require(value_of)

    def _is_seen(self, row: Any, view: View) -> bool:
        if self._facts.deleted is None or view.deleted == "include":
            return True
        return bool(row.is_deleted) == (view.deleted == "only")

    def _is_it(self, attempt: Change) -> sa.ColumnElement[bool]:
        chosen: sa.ColumnElement[bool] = self._facts.identity.column == attempt.id
        return chosen

    async def _store(self, attempt: Change, values: Mapping[str, object]) -> None:
        update = sa.update(self._facts.table).where(self._is_it(attempt))
        await attempt.session.execute(update.ordered_values(*new_values(self._facts, values)))
        await attempt.session.refresh(attempt.row)

    def _columns(self, values: Mapping[str, object]) -> dict[Any, Any]:
        return {self._facts.columns[key].column: value for key, value in values.items()}
