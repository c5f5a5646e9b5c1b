"""One attempt of a job, as its function sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ColonnadeError
from colonnade.database.database import Database


class LeaseLostError(ColonnadeError):
    """Another worker has taken the job meanwhile, because this one was silent for too long; nothing was stored."""


class Keeper(Protocol):
    """What keeps the rows of jobs."""

    async def complete(self, session: AsyncSession, run: JobRun) -> None:
        """Make the completion part of a transaction."""
        ...

    async def report(self, run: JobRun, done: float) -> None:
        """Note how far a job has come."""
        ...


class JobRun:
    """One attempt of a job; a worker makes it, and a test may, without a keeper.

    Attributes:
        id: of the job, the same in each attempt: it makes an effect elsewhere the same once and twice.
        name: of the job.
        attempt: 1 at first.
        database: the application's.
        key: by which the job is the only one of its kind; None where there may be several.
        result: what is kept with the job's row; set it in `transaction()`, elsewhere the function returns it.
        is_complete: it was completed in `transaction()`.
    """

    def __init__(
        self,
        id: UUID,
        name: str,
        attempt: int,
        database: Database,
        *,
        key: str | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.id, self.name, self.attempt = id, name, attempt
        self.database = database
        self.key = key
        self.result: Any = None
        self.is_complete = False
        self._keeper = keeper

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open the transaction in which the job's effect and its completion become durable, or neither.

        Do slow work before it, and nothing after it: when the block ends, the job is done.

        Yields:
            A session; it is committed at the end of the block, and rolled back when the block raises.

        Raises:
            LeaseLostError: another worker has taken the job meanwhile; nothing of the block is stored.
        """
        if self.is_complete or self._keeper is None:
            raise RuntimeError("a job is completed once, and by its worker")
        async with self.database.unit_of_work() as unit:
            yield unit.session
            await self._keeper.complete(unit.session, self)
            await unit.commit()
        self.is_complete = True

    async def progress(self, done: float) -> None:
        """Note how far the job has come, for whoever looks at it; one statement.

        Args:
            done: from 0 to 1.
        """
        if self._keeper is not None:
            await self._keeper.report(self, done)
