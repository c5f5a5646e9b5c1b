"""Running jobs: at least once, never two at once, tried again, given up, given back; on every database."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from colonnade import Database, DeclarationError, Job, JobRun, NotFoundError, Worker, job, job_table, utc_now
from colonnade.jobs import queue as queue_module
from colonnade.jobs.inspection import drop_jobs, job_counts, list_jobs, retry_jobs
from colonnade.models.jobs import JOBS, JobState

pytestmark = pytest.mark.anyio

METADATA = sa.MetaData()
job_table(METADATA)
EFFECTS = sa.Table("effects", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("what", sa.String(50)))

Row = Any


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(queue_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(queue_module, "LONGEST_PAUSE", 0.02)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the tables of jobs and of their effects."""
    database = Database(database_url, metadata=METADATA)
    try:
        await database.start(create_tables=True)
        yield database
    finally:
        await database.dispose()


async def ask(database: Database, one: Job[...], *args: Any, key: str | None = None, **arguments: Any) -> Any:
    """Ask for a job and commit."""
    request = one.request(*args, **arguments)
    async with database.unit_of_work() as unit:
        id = await (request.once(key) if key else request).enqueue(unit)
        await unit.commit()
    return id


async def rows(database: Database) -> Sequence[Row]:
    """Give the jobs, oldest first."""
    async with database.session(read_only=True) as session:
        return (await session.execute(sa.select(JOBS).order_by(JOBS.c.id))).all()


async def effects(database: Database) -> list[str]:
    """Give what jobs have stored."""
    async with database.session(read_only=True) as session:
        return list(await session.scalars(sa.select(EFFECTS.c.what).order_by(EFFECTS.c.id)))


async def until(database: Database, holds: Callable[[Sequence[Row]], bool]) -> Sequence[Row]:
    """Wait until the jobs are as they should be, and give them."""
    async with asyncio.timeout(30):
        while not holds(found := await rows(database)):
            await asyncio.sleep(0.01)
    return found


def all_in(*states: JobState) -> Callable[[Sequence[Row]], bool]:
    """Make the condition that each job is in one of these states."""
    return lambda found: all(row.state in states for row in found)


@asynccontextmanager
async def working(database: Database, *jobs: Job[...], **options: Any) -> AsyncIterator[Worker]:
    """Run a worker with little patience."""
    async with Worker(database, jobs, **{"grace": 0.0, **options}) as worker:
        yield worker


async def test_a_job_runs_and_is_done(database: Database) -> None:
    """S27: the function is called with its arguments; the row keeps the result, and the arguments no longer."""

    @job(name="add")
    async def add(run: JobRun, a: int, b: int) -> dict[str, int]:
        return {"sum": a + b}

    async with working(database, add):
        await ask(database, add, 2, b=3)
        (row,) = await until(database, all_in(JobState.DONE))
    assert (row.result, row.arguments, row.attempts, row.progress) == ({"sum": 5}, {}, 1, 1.0)
    assert (row.due_at, row.worker, row.error) == (None, None, None)
    assert row.finished_at >= row.created_at


async def test_a_sync_job_runs_in_a_thread(database: Database) -> None:
    """S25: it does not hold up the loop."""

    @job(name="sync")
    def sync(run: JobRun) -> str:
        return threading.current_thread().name

    async with working(database, sync):
        await ask(database, sync)
        (row,) = await until(database, all_in(JobState.DONE))
    assert row.result != threading.current_thread().name


async def test_a_failing_job_is_tried_again(database: Database) -> None:
    """S27: with growing pauses, as often as it says; what it came to at last counts."""
    attempts: list[int] = []

    @job(name="flaky", retries=3)
    async def flaky(run: JobRun) -> None:
        attempts.append(run.attempt)
        if run.attempt < 3:
            raise ConnectionError("not yet")

    async with working(database, flaky):
        await ask(database, flaky)
        (row,) = await until(database, all_in(JobState.DONE))
    assert (attempts, row.attempts, row.error) == ([1, 2, 3], 3, None)


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [True, False])
async def test_what_no_job_should_raise_is_a_failed_attempt(
    database: Database, error: BaseException, is_async: bool
) -> None:
    """S27: `sys.exit()` of a job ends no server, and one that cancels itself does not run for ever."""
    tries = 0

    def perform() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise error

    async def leave(run: JobRun) -> None:
        perform()

    def leave_thread(run: JobRun) -> None:
        perform()

    leaving = job(name="leave")(leave if is_async else leave_thread)
    await ask(database, leaving)
    async with Worker(database, [leaving]):
        found = await until(database, lambda rows: rows[0].state is JobState.DONE)
    assert found[0].attempts == 2


@pytest.mark.databases("sqlite-memory")
async def test_sync_jobs_run_on_threads_of_the_workers(database: Database) -> None:
    """S25: ten of them that wait for something leave the event loop's own threads to requests."""
    names: list[str] = []

    @job(name="where")
    def where(run: JobRun) -> None:
        names.append(threading.current_thread().name)

    await ask(database, where)
    async with Worker(database, [where]):
        await until(database, lambda rows: rows[0].state is JobState.DONE)
    assert names[0].startswith("colonnade-job")


async def test_a_job_that_never_succeeds_is_given_up_and_kept(database: Database) -> None:
    """Dead letters: kept with a reason that names no value, listed, counted, and tried again when somebody says so."""
    is_mended = False

    @job(name="broken", retries=1)
    async def broken(run: JobRun, password: str) -> None:
        if not is_mended:
            raise ValueError(f"wrong password {password}")

    async with working(database, broken):
        id = await ask(database, broken, password="hunter22", key="broken-1")
        (row,) = await until(database, all_in(JobState.DEAD))
        assert (row.attempts, row.key, row.due_at) == (2, None, None)
        assert row.error.startswith("ValueError at test_worker.py:")
        assert "hunter22" not in row.error
        assert await job_counts(database) == {"queued": 0, "running": 0, "dead": 1}
        (listed,) = await list_jobs(database)
        assert (listed["id"], "arguments" in listed) == (id, False)
        is_mended = True
        assert await retry_jobs(database, [id]) == 1
        await until(database, all_in(JobState.DONE))
        assert await retry_jobs(database) == 0


async def test_what_was_given_up_can_be_dropped(database: Database) -> None:
    """Its row goes; no other does."""

    @job(name="hopeless", retries=0)
    async def hopeless(run: JobRun) -> None:
        raise NotFoundError("Book 7 not found.")

    async with working(database, hopeless):
        await ask(database, hopeless)
        (row,) = await until(database, all_in(JobState.DEAD))
    assert row.error.endswith(": Book 7 not found.")
    await ask(database, hopeless)
    assert await drop_jobs(database) == 1
    assert [row.state for row in await rows(database)] == [JobState.QUEUED]


async def test_a_timeout_ends_an_attempt(database: Database) -> None:
    """A job that hangs is stopped and fails."""

    @job(name="hanging", retries=0, timeout=0.05)
    async def hanging(run: JobRun) -> None:
        await asyncio.sleep(3600)

    async with working(database, hanging):
        await ask(database, hanging)
        (row,) = await until(database, all_in(JobState.DEAD))
    assert row.error.startswith("TimeoutError")


async def test_effect_and_completion_are_one_transaction(database: Database) -> None:
    """C24: what a job stores in `transaction()` is stored with its completion, and not at all by an attempt that fails."""

    @job(name="effect", retries=2)
    async def effect(run: JobRun) -> None:
        async with run.transaction() as session:
            await session.execute(sa.insert(EFFECTS).values(what=f"attempt {run.attempt}"))
            run.result = run.attempt
            if run.attempt == 1:
                raise ConnectionError("half-way")

    async with working(database, effect):
        await ask(database, effect)
        (row,) = await until(database, all_in(JobState.DONE))
    assert (await effects(database), row.result) == (["attempt 2"], 2)


async def test_a_worker_that_was_taken_for_dead_stores_nothing(database: Database) -> None:
    """C24: when its lease is over and another one has the job, its own transaction is rolled back."""
    stalled, go_on = asyncio.Event(), asyncio.Event()

    @job(name="stalling")
    async def stalling(run: JobRun) -> None:
        if run.attempt == 1:
            stalled.set()
            await go_on.wait()
        async with run.transaction() as session:
            await session.execute(sa.insert(EFFECTS).values(what=f"attempt {run.attempt}"))

    async with working(database, stalling, lease=3600, grace=10) as first:
        await ask(database, stalling)
        await stalled.wait()
        async with database.unit_of_work() as unit:  # as if an hour had passed in which it renewed nothing
            await unit.session.execute(sa.update(JOBS).values(due_at=utc_now() - timedelta(seconds=1)))
            await unit.commit()
        async with working(database, stalling, lease=3600) as second:
            await until(database, all_in(JobState.DONE))
            assert first.name != second.name
        go_on.set()
    assert await effects(database) == ["attempt 2"]


async def test_a_job_whose_workers_die_is_given_up(database: Database) -> None:
    """One that kills its process each time is not tried for ever."""

    @job(name="deadly", retries=1)
    async def deadly(run: JobRun) -> None: ...

    id = await ask(database, deadly)
    async with database.unit_of_work() as unit:  # two workers have begun it and died
        lost = {"state": JobState.RUNNING, "attempts": 2, "worker": "gone", "due_at": utc_now() - timedelta(seconds=1)}
        await unit.session.execute(sa.update(JOBS).where(JOBS.c.id == id).values(lost))
        await unit.commit()
    async with working(database, deadly):
        (row,) = await until(database, all_in(JobState.DEAD))
    assert row.error == "its worker was lost"


async def test_two_workers_never_run_one_job_at_once(database: Database) -> None:
    """Reliability: forty jobs, three workers, each job runs once."""
    began: list[int] = []

    @job(name="counted")
    async def counted(run: JobRun, number: int) -> None:
        began.append(number)
        await asyncio.sleep(0.001)

    async with database.unit_of_work() as unit:
        for number in range(40):
            await counted.enqueue(unit, number)
        await unit.commit()
    async with working(database, counted), working(database, counted), working(database, counted):
        await until(database, all_in(JobState.DONE))
    assert sorted(began) == list(range(40))


async def test_a_lease_is_renewed(database: Database) -> None:
    """Whoever is still at a job when a quarter of its lease is over holds it for longer."""
    leases: list[datetime] = []

    @job(name="long")
    async def long(run: JobRun) -> None:
        (first,) = await rows(database)
        leases.append(first.due_at)
        (later,) = await until(database, lambda found: found[0].due_at != first.due_at)
        leases.append(later.due_at)

    async with working(database, long, lease=1):
        await ask(database, long)
        await until(database, all_in(JobState.DONE))
    assert leases[0] < leases[1]


async def test_what_another_worker_has_is_stopped(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that finds one of its jobs with another stops it."""
    began = asyncio.Event()

    @job(name="stolen")
    async def stolen(run: JobRun) -> None:
        began.set()
        await asyncio.sleep(3600)

    async with working(database, stolen, lease=0.2) as worker:
        await ask(database, stolen)
        await began.wait()
        async with database.unit_of_work() as unit:
            await unit.session.execute(sa.update(JOBS).values(worker="another", due_at=utc_now() + timedelta(hours=1)))
            await unit.commit()
        async with asyncio.timeout(30):
            while worker.under_way:
                await asyncio.sleep(0.01)
    assert "its lease is over" in caplog.text


async def test_a_stopping_worker_gives_back_what_is_not_done(database: Database) -> None:
    """Graceful stop: the next worker begins it at once, and the attempt does not count."""
    attempts: list[int] = []
    began = asyncio.Event()

    @job(name="interrupted")
    async def interrupted(run: JobRun) -> None:
        attempts.append(run.attempt)
        began.set()
        if len(attempts) == 1:
            await asyncio.sleep(3600)

    async with working(database, interrupted):
        await ask(database, interrupted)
        await began.wait()
    (row,) = await rows(database)
    assert (row.state, row.worker, row.attempts) == (JobState.QUEUED, None, 0)
    async with working(database, interrupted):
        await until(database, all_in(JobState.DONE))
    assert attempts == [1, 1]


async def test_a_stopping_worker_lets_jobs_end(database: Database) -> None:
    """Graceful stop: what ends within the grace is done."""
    began = asyncio.Event()

    @job(name="ending")
    async def ending(run: JobRun) -> None:
        began.set()
        await asyncio.sleep(0.1)

    async with working(database, ending, grace=10.0):
        await ask(database, ending)
        await began.wait()
    assert all_in(JobState.DONE)(await rows(database))


async def test_a_key_is_free_again_when_its_job_is_over(database: Database) -> None:
    """It is unique among the jobs that wait or run."""

    @job(name="keyed")
    async def keyed(run: JobRun) -> None: ...

    assert await ask(database, keyed, key="keyed-1") is not None
    assert await ask(database, keyed, key="keyed-1") is None
    async with working(database, keyed):
        await until(database, all_in(JobState.DONE))
    assert await ask(database, keyed, key="keyed-1") is not None


async def test_a_worker_leaves_jobs_alone_that_it_does_not_know(database: Database) -> None:
    """During a roll-out the new version's jobs wait for a worker of the new version."""

    @job(name="old")
    async def old(run: JobRun) -> None: ...

    @job(name="new")
    async def new(run: JobRun) -> None: ...

    async with working(database, old):
        await ask(database, new)
        await ask(database, old)
        found = await until(database, lambda found: any(row.state == JobState.DONE for row in found))
    assert {row.name: row.state for row in found} == {"new": JobState.QUEUED, "old": JobState.DONE}


async def test_progress_is_seen(database: Database) -> None:
    """A job tells how far it is, within 0 and 1."""
    seen = asyncio.Event()

    @job(name="steps")
    async def steps(run: JobRun) -> None:
        await run.progress(0.5)
        await seen.wait()
        await run.progress(7)

    async with working(database, steps):
        await ask(database, steps)
        await until(database, lambda found: found[0].progress == 0.5)
        seen.set()
        (row,) = await until(database, all_in(JobState.DONE))
    assert row.progress == 1.0


async def test_a_schedule_fires_once_however_many_workers_there_are(database: Database) -> None:
    """One firing at a time waits; what ends it, whether done or given up, leaves the next one waiting."""
    fired: list[int] = []

    @job(name="nightly", retries=0, cron="0 3 * * *")
    async def nightly(run: JobRun) -> None:
        fired.append(1)
        if len(fired) == 2:
            raise ConnectionError

    found: Sequence[Row] = ()
    for number in (1, 2):
        async with working(database, nightly), working(database, nightly), working(database, nightly):
            found = await until(database, lambda found: bool(found) and found[-1].state == JobState.QUEUED)
            (waiting,) = [row for row in found if row.state == JobState.QUEUED]
            assert (waiting.due_at.hour, waiting.due_at.minute, waiting.due_at > utc_now()) == (3, 0, True)
            async with database.unit_of_work() as unit:  # as if it were three o'clock
                past = utc_now() - timedelta(minutes=1)
                due = sa.update(JOBS).where(JOBS.c.state == JobState.QUEUED).values(due_at=past)
                await unit.session.execute(due)
                await unit.commit()
            found = await until(database, lambda found, ended=number: len(found) == ended + 1)  # type: ignore[misc]
        assert len(fired) == number
    assert [row.state for row in found] == [JobState.DONE, JobState.DEAD, JobState.QUEUED]


async def test_a_changed_schedule_counts_at_the_next_start(database: Database) -> None:
    """The firing that waits is moved to the new time."""

    def scheduled(cron: str) -> Job[...]:
        @job(name="moved", cron=cron)
        async def moved(run: JobRun) -> None: ...

        return moved

    row: Row = None
    for cron, month in (("0 3 1 1 *", 1), ("0 3 1 2 *", 2)):
        async with working(database, scheduled(cron)):
            (row,) = await until(database, lambda found, month=month: any(row.due_at.month == month for row in found))  # type: ignore[misc]
    assert row.due_at.month == 2


async def test_old_rows_are_removed(database: Database) -> None:
    """What was done a day ago goes; what was given up stays."""

    @job(name="old", retries=0)
    async def old(run: JobRun, fails: bool) -> None:
        if fails:
            raise ConnectionError

    async with working(database, old):
        await ask(database, old, fails=True)
        await ask(database, old, fails=False)
        await until(database, all_in(JobState.DONE, JobState.DEAD))
    async with database.unit_of_work() as unit:
        await unit.session.execute(sa.update(JOBS).values(finished_at=datetime(2026, 1, 1, tzinfo=UTC)))
        await unit.commit()
    await queue_module.JobQueue(database, {"old": old}, "worker", 60).purge()
    assert [row.state for row in await rows(database)] == [JobState.DEAD]


@pytest.mark.databases("sqlite-file", "postgresql")
async def test_a_worker_waits_for_its_table(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that starts before the migrations says so, and goes on when they are there."""

    @job(name="early")
    async def early(run: JobRun) -> None: ...

    database = Database(database_url, metadata=METADATA)
    try:
        async with working(database, early):
            while "jobs can't be claimed" not in caplog.text:
                await asyncio.sleep(0.01)
            await database.start(create_tables=True)
            await ask(database, early)
            await until(database, all_in(JobState.DONE))
    finally:
        await database.dispose()


@pytest.mark.databases("sqlite-memory")
async def test_a_secret_argument_is_in_no_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a job that is done nor one whose arguments do not fit shows them."""
    caplog.set_level(logging.INFO)

    @job(name="secretive", retries=0)
    async def secretive(run: JobRun, link: str) -> None: ...

    @job(name="secretive", retries=0)
    async def changed(run: JobRun, link: int) -> None: ...

    found: Sequence[Row] = ()
    for version in (secretive, changed):
        async with working(database, version):
            await ask(database, secretive, link="https://x.org/reset?token=hunter22")
            found = await until(database, all_in(JobState.DONE, JobState.DEAD))
    assert "ValidationError" in str(found[-1].error)
    assert "hunter22" not in caplog.text


def test_two_jobs_of_one_name_are_refused() -> None:
    """A row's name says which function it is for."""

    @job(name="twice")
    async def one(run: JobRun) -> None: ...

    @job(name="twice")
    async def other(run: JobRun) -> None: ...

    with pytest.raises(DeclarationError, match="two jobs are named 'twice'"):
        Worker(Database("sqlite://"), [one, other])
    with pytest.raises(DeclarationError, match="is no job"):
        Worker(Database("sqlite://"), [print])  # type: ignore[list-item]  # that is the mistake
