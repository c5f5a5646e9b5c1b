"""When jobs run by themselves, by the clocks of several machines, which never agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from colonnade import Database, JobRun, job, job_table
from colonnade.jobs import queue as queue_module
from colonnade.jobs.queue import JobQueue
from colonnade.models.jobs import JOBS

METADATA = sa.MetaData()
job_table(METADATA)

THREE = datetime(2026, 11, 20, 3, tzinfo=UTC)


@job(name="nightly", cron="0 3 * * *")
async def nightly(run: JobRun) -> None:
    """Do nothing."""


@pytest.mark.anyio
async def test_a_clock_that_is_late_moves_no_firing(monkeypatch: pytest.MonkeyPatch) -> None:
    """C24: neither one that was given back, which would be lost, nor the next of a quicker clock, which would come twice."""
    database = Database("sqlite://", metadata=METADATA)
    quick, late = (JobQueue(database, {"nightly": nightly}, name, 60) for name in ("quick", "late"))

    async def due_after_start(queue: JobQueue, seconds: int) -> datetime:
        """Start a worker by whose clock it is so many seconds past three, and tell when the firing is due that waits."""
        monkeypatch.setattr(queue_module, "utc_now", lambda: THREE + timedelta(seconds=seconds))
        await queue.schedule()
        async with database.session(read_only=True) as session:
            due_at: datetime | None = await session.scalar(sa.select(JOBS.c.due_at).where(JOBS.c.due_at.is_not(None)))
        assert due_at is not None
        return due_at

    try:
        await database.start(create_tables=True)
        assert await due_after_start(quick, -60) == THREE
        await due_after_start(quick, 1)
        (claim,) = await quick.claim(1)
        await quick.release(claim.run)
        assert await due_after_start(late, -20) < THREE
        await due_after_start(quick, 1)
        (claim,) = await quick.claim(1)
        await quick.finish(claim.run)
        assert await due_after_start(late, -20) == THREE + timedelta(days=1)
    finally:
        await database.dispose()
