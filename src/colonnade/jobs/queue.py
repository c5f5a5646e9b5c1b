"""The rows of jobs as one worker sees them: what is due is claimed, kept by a lease, and settled.

Whoever holds a row is told by its worker and its attempt, and every change of a claimed row asks for both: a worker that was
taken for dead can settle nothing any more. Claiming reads the rows FOR UPDATE SKIP LOCKED, so that no worker waits for
another; on SQLite one transaction writes at a time anyway.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ColonnadeError
from colonnade.database.database import Database
from colonnade.jobs.declaration import Job
from colonnade.jobs.request import JobRequest, insert_once
from colonnade.jobs.run import JobRun, LeaseLostError
from colonnade.models.clock import utc_now
from colonnade.models.jobs import JOBS, MAX_ERROR, JobState
from colonnade.query.compile import CompiledStatement, compile_statement
from colonnade.query.writes import RETURNING

KEPT = timedelta(days=1)
"""How long the row of a job that was done is kept; those that were given up stay."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 6 * 3600.0
"""Seconds between the first two attempts, and the most that there may be between any."""

SKEW = timedelta(minutes=1)
"""How far the clocks of two workers' machines may be apart."""

Values = dict[str, Any]
_OVER: Mapping[str, Any] = {"due_at": None, "key": None, "worker": None}


class Claim(NamedTuple):
    """A job that this worker is to run now."""

    run: JobRun
    arguments: Mapping[str, Any]


class JobQueue:
    """The jobs of a database, for one worker.

    Args:
        database: where they are.
        jobs: those that this worker knows, by name; it touches no others.
        worker: tells it from every other worker there ever was.
        lease: seconds for which it holds what it claims, unless it renews that.
    """

    def __init__(self, database: Database, jobs: Mapping[str, Job[...]], worker: str, lease: float) -> None:
        self._database = database
        self._jobs = jobs
        self._worker = worker
        self._lease = timedelta(seconds=lease)
        self._known = sa.or_(sa.false(), *(JOBS.c.name == name for name in sorted(jobs)))
        self._plans: dict[tuple[str, ...], CompiledStatement] = {}
        due = sa.select(JOBS.c.due_at).where(JOBS.c.due_at.is_not(None), self._known).order_by(JOBS.c.due_at)
        self._next = compile_statement(due.limit(1), database.dialect).bind({})
        self._read_time: Any = JOBS.c.due_at.type.dialect_impl(database.dialect).result_processor(
            database.dialect, None
        )

    async def next_time(self) -> datetime | None:
        """Tell when the next job is due, which may be past; None when none is known."""
        rows = await self._database.fetch(self._next)
        return self._read_time(rows[0][0]) if rows else None

    async def claim(self, count: int, under_way: Collection[JobRun] = ()) -> list[Claim]:
        """Take jobs that are due, the longest due first, and begin an attempt of each.

        One whose worker was lost in its last attempt is given up instead.

        Args:
            count: how many at most.
            under_way: what this worker is still at, even if it was too busy to renew the lease.
        """
        return await self._database.retry(lambda: self._claim(count, [run.id for run in under_way]))

    async def _claim(self, count: int, under_way: list[UUID]) -> list[Claim]:
        now = utc_now()
        due = (
            sa.select(JOBS.c.id, JOBS.c.name, JOBS.c.arguments, JOBS.c.attempts, JOBS.c.key)
            .where(JOBS.c.due_at <= now, self._known, JOBS.c.id.not_in(under_way))
            .order_by(JOBS.c.due_at)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        async with self._database.unit_of_work() as unit:
            rows = (await unit.session.execute(due)).all()
            taken = [row for row in rows if row.attempts <= self._jobs[row.name].retries]
            for row in rows:
                if row not in taken:
                    lost = {"state": JobState.DEAD, "error": "its worker was lost", "finished_at": now, **_OVER}
                    await unit.session.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(lost))
                    await self._schedule_next(unit.session, row.name, row.key)
            if taken:
                held = {"state": JobState.RUNNING, "worker": self._worker, "due_at": now + self._lease}
                chosen = JOBS.c.id.in_([row.id for row in taken])
                await unit.session.execute(
                    sa.update(JOBS).where(chosen).values(held | {"attempts": JOBS.c.attempts + 1})
                )
            await unit.commit()
        return [
            Claim(JobRun(row.id, row.name, row.attempts + 1, self._database, key=row.key, keeper=self), row.arguments)
            for row in taken
        ]

    async def complete(self, session: AsyncSession, run: JobRun) -> None:
        """Make a job's completion part of a transaction.

        Raises:
            LeaseLostError: it is not this worker's any more.
        """
        await self._end(session, run, _done(run))

    async def finish(self, run: JobRun) -> None:
        """Complete a job whose effect was elsewhere.

        Raises:
            LeaseLostError: it is not this worker's any more.
        """
        await self._over(run, _done(run))

    async def fail(self, run: JobRun, error: BaseException) -> datetime | None:
        """Note a failed attempt, and say when the next one is; None when that was the last one.

        Raises:
            LeaseLostError: it is not this worker's any more.
        """
        told: Values = {"error": describe(error)[:MAX_ERROR], "worker": None}
        if run.attempt <= self._jobs[run.name].retries:
            again = utc_now() + pause_after(run.attempt)
            await self._settle(run, told | {"state": JobState.QUEUED, "due_at": again})
            return again
        await self._over(run, told | {"state": JobState.DEAD, "finished_at": utc_now(), **_OVER})
        return None

    async def release(self, run: JobRun) -> None:
        """Give a job back that was not brought to its end, as if this attempt had never begun."""
        # Due by every clock: a worker whose own is late would take a firing for one that waits, and move it to the next.
        due_at = utc_now() - SKEW
        await self._settle(
            run, {"state": JobState.QUEUED, "worker": None, "due_at": due_at, "attempts": run.attempt - 1}
        )

    async def report(self, run: JobRun, done: float) -> None:
        """Note how far a job has come.

        Raises:
            LeaseLostError: it is not this worker's any more.
        """
        await self._settle(run, {"progress": min(max(float(done), 0.0), 1.0)})

    async def renew(self, runs: Collection[JobRun]) -> None:
        """Hold jobs for another lease.

        Args:
            runs: those that are under way.
        """
        chosen = JOBS.c.id.in_([run.id for run in runs])
        held = sa.update(JOBS).where(chosen, self._mine()).values(due_at=utc_now() + self._lease)

        async def once() -> None:
            async with self._database.unit_of_work() as unit:
                await unit.session.execute(held)
                await unit.commit()

        await self._database.retry(once)

    async def lost(self, runs: Collection[JobRun]) -> set[UUID]:
        """Tell which of these jobs another worker has or may have, by their ids."""
        elsewhere = sa.and_(JOBS.c.state == JobState.RUNNING, JOBS.c.worker != self._worker)
        chosen = sa.select(JOBS.c.id).where(
            JOBS.c.id.in_([run.id for run in runs]), sa.or_(elsewhere, JOBS.c.state == JobState.QUEUED)
        )
        async with self._database.session(read_only=True) as session:
            return set(await session.scalars(chosen))

    async def schedule(self) -> None:
        """See to it that each job with a schedule waits for its next time, once."""
        for job in self._jobs.values():
            now = utc_now()
            if (next_time := job.next_time(now)) is None:
                continue
            async with self._database.unit_of_work() as unit:
                await self._schedule(unit.session, job, next_time)
                waiting = (JOBS.c.key == _schedule_key(job.name), JOBS.c.attempts == 0, JOBS.c.due_at > now)
                due_at = await unit.session.scalar(sa.select(JOBS.c.due_at).where(*waiting))
                # A worker whose clock is ahead may just have fired for `next_time`.
                if due_at not in {None, next_time, job.next_time(now + SKEW)}:
                    # The schedule itself has changed. What has become due, or was claimed, meanwhile is left alone.
                    as_seen = (*waiting, JOBS.c.due_at == due_at)
                    await unit.session.execute(sa.update(JOBS).where(*as_seen).values(due_at=next_time))
                await unit.commit()

    async def purge(self) -> None:
        """Remove the rows of what was done a day ago."""
        old = (JOBS.c.state == JobState.DONE, JOBS.c.finished_at < utc_now() - KEPT)
        async with self._database.unit_of_work() as unit:
            await unit.session.execute(sa.delete(JOBS).where(*old))
            await unit.commit()

    async def _over(self, run: JobRun, values: Values) -> None:
        """End a job in a transaction of its own, in which a schedule's next firing begins to wait."""
        if not self._is_firing(run.name, run.key):
            await self._settle(run, values)
            return

        async def once() -> None:
            async with self._database.unit_of_work() as unit:
                await self._end(unit.session, run, values)
                await unit.commit()

        await self._database.retry(once)

    async def _end(self, session: AsyncSession, run: JobRun, values: Values) -> None:
        held = (JOBS.c.id == run.id, JOBS.c.attempts == run.attempt, self._mine())
        changed: Any = await session.execute(sa.update(JOBS).where(*held).values(values))
        if not changed.rowcount:
            raise _lost(run)
        await self._schedule_next(session, run.name, run.key)

    async def _settle(self, run: JobRun, values: Values) -> None:
        """Change the row of a claimed job, on the compiled way: SQLite commits those together that end together."""
        bound = {f"v_{key}": value for key, value in values.items()}
        bound |= {"run": run.id, "attempt": run.attempt, "mine": self._worker}
        (outcome,) = await self._database.commit([self._plan(tuple(values)).bind(bound)])
        if not outcome.affected:
            raise _lost(run)

    def _plan(self, keys: tuple[str, ...]) -> CompiledStatement:
        if keys not in self._plans:
            columns = JOBS.c
            held = (
                columns.id == sa.bindparam("run", type_=columns.id.type),
                columns.attempts == sa.bindparam("attempt", type_=columns.attempts.type),
                columns.state == JobState.RUNNING,
                columns.worker == sa.bindparam("mine", type_=columns.worker.type),
            )
            given = {columns[key]: sa.bindparam(f"v_{key}", type_=columns[key].type) for key in keys}
            update: Any = sa.update(JOBS).where(*held).values(given)
            if self._database.dialect.name in RETURNING:
                update = update.returning(columns.id)
            self._plans[keys] = compile_statement(update, self._database.dialect)
        return self._plans[keys]

    def _mine(self) -> sa.ColumnElement[bool]:
        return sa.and_(JOBS.c.state == JobState.RUNNING, JOBS.c.worker == self._worker)

    async def _schedule_next(self, session: AsyncSession, name: str, key: str | None) -> None:
        """Have the next firing of a schedule wait, in the transaction that ends this one: there is one at any time."""
        job = self._jobs[name]
        if self._is_firing(name, key) and (next_time := job.next_time(utc_now())) is not None:
            await self._schedule(session, job, next_time)

    def _is_firing(self, name: str, key: str | None) -> bool:
        return self._jobs[name].cron is not None and key == _schedule_key(name)

    async def _schedule(self, session: AsyncSession, job: Job[...], time: datetime) -> None:
        request = JobRequest(job.name, {}, time, _schedule_key(job.name))
        await session.execute(insert_once(self._database.dialect.name).values(request.row()))


def _done(run: JobRun) -> Values:
    result = None if run.result is None else to_jsonable_python(run.result, fallback=str)
    done: Values = {"state": JobState.DONE, "arguments": {}, "error": None, "progress": 1.0, "finished_at": utc_now()}
    return {**done, "result": result, **_OVER}


def _lost(run: JobRun) -> LeaseLostError:
    return LeaseLostError(f"job {run.id} is not this worker's any more")


def pause_after(attempt: int) -> timedelta:
    """Give the pause after a failed attempt: 5 s, 20 s, 80 s, ... up to six hours, a quarter more or less by chance."""
    seconds = min(FIRST_PAUSE * 4.0 ** min(attempt - 1, 20), LONGEST_PAUSE)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def describe(error: BaseException) -> str:
    """Say what went wrong and where, for everybody to see: another's message may hold a password or a row's values."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    told = f": {error}" if isinstance(error, ColonnadeError) else ""
    return f"{type(error).__name__}{place}{told}"


def _schedule_key(name: str) -> str:
    return f"schedule:{name}"
