"""When jobs are due: by the clocks of several machines, which never agree, and whether anybody takes them then."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from colonnade import Database, JobRequest, JobRun, Worker, job, job_table, utc_now
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


@pytest.mark.anyio
async def test_jobs_that_nobody_knows_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A job whose time was long ago and that is not in this worker's `jobs` is warned of by name; a new one is not yet."""
    database = Database("sqlite://", metadata=METADATA)
    try:
        await database.start(create_tables=True)
        async with database.unit_of_work() as unit:
            for name, minutes in (("forgotten", 2), ("forgotten", 3), ("new", 0)):
                await JobRequest(name, {}, utc_now() - timedelta(minutes=minutes)).enqueue(unit)
            await unit.commit()
        worker = Worker(database, [nightly])
        for _ in range(2):
            worker._looked = -math.inf
            await worker._look_after()
    finally:
        await database.dispose()
    assert [record.getMessage() for record in caplog.records if record.name == "colonnade.jobs"] == [
        "jobs of the name 'forgotten' wait, which this worker has not: is it in anybody's jobs=[...]?"
    ]
