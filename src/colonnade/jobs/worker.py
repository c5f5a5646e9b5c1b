"""The worker: takes jobs that are due, runs some at once, holds them by its lease, and stops without losing any."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from colonnade.core.errors import DeclarationError, UnavailableError
from colonnade.database.database import Database
from colonnade.jobs.declaration import Job
from colonnade.jobs.inspection import overdue_jobs
from colonnade.jobs.queue import Claim, JobQueue
from colonnade.jobs.run import JobRun, LeaseLostError
from colonnade.models.clock import utc_now
from colonnade.models.jobs import TABLE

CONCURRENCY = 10
LEASE = 60.0
GRACE = 10.0
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 2.0
"""Seconds between two looks at the table while nothing is due; what this process commits itself is looked at at once."""

GATHER = 0.01
"""Seconds that a busy worker waits for more jobs to end, before it claims as many in one transaction."""

_PURGE_EVERY, _LOOK_EVERY = 3600.0, 60.0
_LOG = logging.getLogger("colonnade.jobs")


class Worker:
    """Runs the jobs of a database as long as its block lasts: `async with Worker(database, jobs): ...`.

    Several of them, in as many processes and on as many machines as you like, share the work. When the block ends, no job is
    begun any more; those under way have `grace` seconds to end, and what is not done by then is given back.

    Args:
        database: with the table of `job_table`.
        jobs: those that it runs; rows of others are left to other workers.
        concurrency: how many it runs at once.
        lease: seconds after which the jobs of a worker that died are taken by another one; it is renewed in time.
        grace: seconds that jobs have to end when the worker stops.

    Raises:
        DeclarationError: two jobs have one name, or one's annotations can't be read.
    """

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job[...]],
        *,
        concurrency: int = CONCURRENCY,
        lease: float = LEASE,
        grace: float = GRACE,
    ) -> None:
        self._jobs = by_name(jobs)
        self._database = database
        self._concurrency, self._lease, self._grace = concurrency, lease, grace
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._queue = JobQueue(database, self._jobs, self.name, lease)
        # Of its own: an endpoint that hashes a password must not wait for a job that takes minutes.
        self._threads = ThreadPoolExecutor(concurrency, "colonnade-job")
        self._under_way: dict[asyncio.Task[None], JobRun] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._wait = SHORTEST_WAIT
        self._purged = self._looked = -math.inf
        self._strangers: set[str] = set()

    @property
    def under_way(self) -> Collection[JobRun]:
        """What it is at."""
        return self._under_way.values()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        # A sync session commits on a thread.
        self._unwatch = self._database.changes.watch(TABLE, lambda: loop.call_soon_threadsafe(self._wake.set))
        self._loops = [loop.create_task(self._serve()), loop.create_task(self._hold())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_stopping = True
        self._wake.set()
        serving, holding = self._loops
        self._unwatch()
        await serving  # a claim is brought to its end: what was claimed is known
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._grace)
        holding.cancel()
        await asyncio.wait([holding])
        await self._give_back()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        """Claim what is due, again and again."""
        is_scheduled = False
        while not self._is_stopping:
            self._wake.clear()
            try:
                if not is_scheduled:
                    await self._queue.schedule()
                    is_scheduled = True
                await self._take()
                await self._look_after()
            except Exception as error:
                # Whatever it is, a database away or a table missing, it may be mended while this waits.
                self._wait = min(max(self._wait, SHORTEST_WAIT) * 2, 30.0)
                told = str(error).partition("\n")[0]  # what SQLAlchemy says below is the statement and its values
                _LOG.error("jobs can't be claimed: %s: %s", type(error).__name__, told)
            await self._sleep(self._wait)

    async def _look_after(self) -> None:
        """Remove what was done long ago, and tell of jobs that wait for a worker that knows them; now and then."""
        now = time.monotonic()
        if now - self._purged >= _PURGE_EVERY:
            self._purged = now
            await self._queue.purge()
        if now - self._looked >= _LOOK_EVERY:
            self._looked = now
            for name in (await overdue_jobs(self._database)).keys() - self._jobs.keys() - self._strangers:
                self._strangers.add(name)
                _LOG.warning(
                    "jobs of the name %r wait, which this worker has not: is it in anybody's jobs=[...]?", name
                )

    async def _take(self) -> None:
        """Begin what is due as far as there is room, and set how long to wait afterwards."""
        room = self._concurrency - len(self._under_way)
        due = await self._queue.next_time() if room else None
        ahead = LONGEST_WAIT if due is None else (due - utc_now()).total_seconds()
        if ahead > 0:
            self._wait = min(max(self._wait * 2, SHORTEST_WAIT), ahead + 0.001, LONGEST_WAIT)
            return
        claims = await self._queue.claim(room, self._under_way.values())
        for claim in claims:
            task = asyncio.create_task(self._run(claim))
            self._under_way[task] = claim.run
            task.add_done_callback(self._ended)
        # There may be more; or other workers were quicker.
        self._wait = 0.0 if claims else SHORTEST_WAIT

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds * random.uniform(0.8, 1.0)):  # noqa: S311  # workers drift apart
                await self._wake.wait()
        except TimeoutError:
            return
        if self._under_way:
            await asyncio.sleep(GATHER)

    async def _run(self, claim: Claim) -> None:
        run, job = claim.run, self._jobs[claim.run.name]
        try:
            async with asyncio.timeout(job.timeout):
                value = await job.perform(run, claim.arguments, self._threads)
            if not run.is_complete:
                run.result = value if run.result is None else run.result
                await self._insist(lambda: self._queue.finish(run))
            _LOG.info("job %s %s is done", run.name, run.id)
        except LeaseLostError:
            _LOG.warning("job %s %s was taken over by another worker", run.name, run.id)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # it was stopped; otherwise the job cancelled something that it then waited for
            await self._failed(run, error)
        except (Exception, SystemExit) as error:
            # What a job leaves its function by, `sys.exit()` of a script that became one too, ends an attempt, not a server.
            await self._failed(run, error)

    async def _failed(self, run: JobRun, error: BaseException) -> None:
        if run.is_complete:
            _LOG.error("job %s %s is done, but failed after that", run.name, run.id, exc_info=error)
            return
        try:
            again = await self._insist(lambda: self._queue.fail(run, error))
        except LeaseLostError:
            _LOG.warning("job %s %s was taken over by another worker", run.name, run.id)
            return
        level = logging.ERROR if again is None else logging.WARNING
        after = "given up" if again is None else f"tried again at {again:%H:%M:%S} UTC"
        _LOG.log(level, "job %s %s failed, attempt %d, %s", run.name, run.id, run.attempt, after, exc_info=error)

    async def _insist(self, settle: Callable[[], Awaitable[Any]]) -> Any:
        """Settle a job even if the database is away for a while: once the lease is over another worker does it again."""
        end = time.monotonic() + self._lease
        while True:
            try:
                return await settle()
            except UnavailableError:
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(0.5)

    async def _hold(self) -> None:
        """Renew the lease in time, and stop what is not this worker's any more."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(self._lease / 4)
            tried, runs = time.monotonic(), dict(self._under_way)
            if not runs:
                renewed = tried
                continue
            try:
                await self._queue.renew(runs.values())
                lost = await self._queue.lost(runs.values())
                renewed = tried
            except Exception as error:
                _LOG.warning("the lease of %d jobs could not be renewed: %s", len(runs), error)
                lost = {run.id for run in runs.values()} if time.monotonic() - renewed > self._lease else set()
            for task, run in runs.items():
                if run.id in lost and not task.done():
                    _LOG.warning("job %s %s is stopped: its lease is over", run.name, run.id)
                    task.cancel()

    async def _give_back(self) -> None:
        """Stop what is still under way, and let others have it at once."""
        left = dict(self._under_way)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for task, run in left.items():
            # A thread goes on; what it does is let go of when the lease is over.
            if task.cancelled() and self._jobs[run.name].is_async:
                await self._release(run)

    async def _release(self, run: JobRun) -> None:
        try:
            await self._queue.release(run)
        except LeaseLostError:
            return  # it was completed at the last moment
        except Exception as error:
            _LOG.warning("job %s %s could not be given back: %s", run.name, run.id, error)
            return
        _LOG.info("job %s %s was given back", run.name, run.id)


def by_name(jobs: Sequence[Job[...]]) -> dict[str, Job[...]]:
    """Put jobs in order by their names.

    Raises:
        DeclarationError: two have the same name, or the annotations of one can't be read.
    """
    found: dict[str, Job[...]] = {}
    for job in jobs:
        if not isinstance(job, Job):
            raise DeclarationError(f"{job!r} is no job; make one of it with @job")
        if job.name in found:
            raise DeclarationError(f"two jobs are named {job.name!r}; give one of them another name")
        job.check()
        found[job.name] = job
    return found
