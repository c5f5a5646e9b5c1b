"""Which rows a bulk change by filter is about, and that they still are when it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ConflictError, ContentionError, Fault
from colonnade.database.database import Database
from colonnade.database.unit_of_work import UnitOfWork
from colonnade.query.plan import Source, list_values, plan_list
from colonnade.query.request import ReadRequest
from colonnade.query.shape import Shown
from colonnade.services.bulk import BulkWriter, Item

MAX_TRIES = 4


class _Moved(Exception):  # noqa: N818  (caught here, never seen by a caller)
    """Rows came to the filter, or left it, between looking for them and locking them."""


class FilteredWriter:
    """Changes the rows that a filter finds.

    Args:
        bulk: changes them.
    """

    def __init__(self, bulk: BulkWriter) -> None:
        self._bulk = bulk

    async def change(
        self, database: Database, request: ReadRequest, most: int, item: Callable[[object], Item]
    ) -> tuple[int, list[Shown]]:
        """Change what a filter finds, all of it in one transaction.

        Args:
            database: where.
            request: asks for one row more than `most`.
            most: rows that may be changed.
            item: makes the change of a row by its id.

        Returns:
            How many rows were changed, and the rows as they became, in the order of their ids.

        Raises:
            ConflictError: CLN412, the filter finds more than `most`; nothing was changed.
            ContentionError: CLN513, what it finds changed again and again.
        """
        for _ in range(MAX_TRIES):
            try:
                return await self._once(database, request, most, item)
            except _Moved:
                continue
        raise ContentionError("The rows that the filter finds changed at the same moment, again and again.")

    async def _once(
        self, database: Database, request: ReadRequest, most: int, item: Callable[[object], Item]
    ) -> tuple[int, list[Shown]]:
        async with database.session(read_only=True) as session:
            ids = await self._find(session, request, most, lock=False)
        if not ids:
            return 0, []

        async def guard(unit: UnitOfWork) -> None:
            if await self._find(unit.session, request, most, lock=True) != ids:
                raise _Moved

        return len(ids), await self._bulk.together(database, [item(id) for id in ids], guard)

    async def _find(self, session: AsyncSession, request: ReadRequest, most: int, *, lock: bool) -> Sequence[object]:
        permit = request.view.permit
        source = Source(self._bulk.facts, None, access=None if permit is None else permit.access)
        identity = self._bulk.facts.identity.column
        # In the order of a history's locks: of two that lock the same rows neither then waits for the other's second one.
        found: sa.Select[tuple[object]] = (
            plan_list(source, request).entities.with_only_columns(identity).order_by(None).order_by(identity)
        )
        ids = (await session.scalars(found.with_for_update() if lock else found, list_values(request))).all()
        if len(ids) > most:
            fault = Fault("too_many", f"The filter finds more than {most} rows.", pointer="/max_affected")
            raise ConflictError(f"The filter finds more than {most} rows; nothing was changed.", faults=[fault])
        return ids
