"""Running an application's jobs by `colonnade worker`, and looking at them by `colonnade jobs`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from colonnade import Database, job
from colonnade.cli import main
from colonnade.jobs.inspection import list_jobs
from colonnade.models.jobs import JobState

pytestmark = pytest.mark.databases("sqlite-file", "postgresql")

# An application of one job, which fails until a file is there.
APPLICATION = """
from pathlib import Path
import sqlalchemy as sa
from colonnade import Database, JobRun, Settings, create_app, job, job_table

settings = Settings(_env_file=None)
metadata = sa.MetaData()
job_table(metadata)

@job(name="picky", retries=0)
async def picky(run: JobRun, number: int) -> None:
    if not Path("mended").exists():
        raise ConnectionError

database = Database(settings.database_url.get_secret_value(), metadata=metadata)
app = create_app([], database=database, settings=settings, jobs=[picky])
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Path:
    """A folder with the application, and settings that name the database."""
    (tmp_path / "picky_app.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ENV", "development")
    monkeypatch.setenv("JOBS", "off")  # the worker works all the same
    return tmp_path


@job(name="picky", retries=0)
async def picky(run: object, number: int) -> None:
    """Stand for the application's own."""


async def asked(url: str, count: int) -> None:
    """Ask for jobs."""
    database = Database(url)
    async with database.unit_of_work() as unit:
        for number in range(count):
            await picky.enqueue(unit, number)
        await unit.commit()
    await database.dispose()


async def states(url: str) -> list[str]:
    """Give the states of all jobs."""
    database = Database(url)
    try:
        return [row["state"] for state in JobState for row in await list_jobs(database, state)]
    finally:
        await database.dispose()


@pytest.mark.anyio
async def test_a_worker_runs_until_it_is_told_to_stop(database_url: str, folder: Path) -> None:
    """`colonnade worker` runs what was asked for; what it gave up is listed, tried again, and dropped; SIGTERM ends it."""

    async def until(wanted: list[str]) -> None:
        with anyio.fail_after(30):
            while await states(database_url) != wanted:
                await anyio.sleep(0.1)

    process = started()
    try:
        assert process.stdout is not None
        assert await anyio.to_thread.run_sync(process.stdout.readline) == b"Working at: picky\n"
        await asked(database_url, 2)
        await until(["dead", "dead"])
        lines = (await anyio.to_thread.run_sync(run, "jobs", "list")).splitlines()
        assert [line.split("\t")[1:3] for line in lines] == [["picky", "dead"]] * 2
        (folder / "mended").touch()
        id = lines[0].split("\t")[0]
        assert await anyio.to_thread.run_sync(run, "jobs", "retry", id) == "1 job tried again\n"
        await until(["done", "dead"])
        assert await anyio.to_thread.run_sync(run, "jobs", "drop", "--all") == "1 job dropped\n"
        process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(process.wait, 20) == 0
    finally:
        process.kill()
        process.communicate()


def started() -> subprocess.Popen[bytes]:
    """Start a worker of the application."""
    command = [sys.executable, "-W", "ignore", "-m", "colonnade.cli", "worker", "--app", "picky_app:app"]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def run(*arguments: str) -> str:
    """Run a command in a process of its own and give what it prints."""
    command = [sys.executable, "-W", "ignore", "-m", "colonnade.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["jobs", "list", "--state", "lost"], "no state 'lost'"),
        (["jobs", "retry"], "name the jobs"),
        (["jobs", "drop", "--all", "01a1f967-f22c-73b3-8306-add972d18dee"], "name the jobs"),
        (["worker", "--app", "tests.serving:serving"], "has no jobs"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert told in capsys.readouterr().err
