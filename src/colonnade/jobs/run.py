"""One attempt of a job, as its function sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.database.database import Database

Complete = Callable[[AsyncSession, "JobRun"], Awaitable[None]]


@dataclass(slots=True, eq=False)
class JobRun:
    """One attempt of a job.

    Attributes:
        id: of the job, the same in each attempt: what makes an effect elsewhere the same once and twice is told by it.
        name: of the job.
        attempt: 1 at first.
        database: the application's.
        worker: who runs it.
        result: what is kept with the job's row; the function's return value, unless it is set before.
    """

    id: UUID
    name: str
    attempt: int
    database: Database
    worker: str
    result: Any = None
    _complete: Complete | None = field(default=None, repr=False)
    _report: Callable[[JobRun, float], Awaitable[None]] | None = field(default=None, repr=False)
    is_complete: bool = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open the transaction in which the job's effect and its completion become durable, or neither.

        Do slow work before it, and nothing after it: when the block ends, the job is done.

        Yields:
            A session; it is committed at the end of the block, and rolled back when the block raises.

        Raises:
            LeaseLostError: another worker has taken the job meanwhile; nothing of the block is stored.
        """
        if self.is_complete or self._complete is None:
            raise RuntimeError("a job is completed once, by its worker")
        async with self.database.unit_of_work() as unit:
            yield unit.session
            await self._complete(unit.session, self)
            await unit.commit()
        self.is_complete = True

    async def progress(self, done: float) -> None:
        """Note how far the job has come, for whoever looks at it; one statement.

        Args:
            done: from 0 to 1.
        """
        if self._report is not None:
            await self._report(self, done)
