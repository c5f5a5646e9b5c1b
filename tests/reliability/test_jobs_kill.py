"""SIGKILL of workers: each committed job runs at least once, and its effect is there once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from tests.house.tree import ROOT

CYCLES = int(os.environ.get("JOB_KILL_CYCLES", "1"))
JOBS_EACH = 20

# A worker that says when it begins its first job, and goes on until all are done, or it is killed.
PROGRAM = """
import asyncio, random, sys
import sqlalchemy as sa
from colonnade import Database, Worker, job, job_table
from colonnade.jobs.inspection import job_counts

metadata = sa.MetaData()
job_table(metadata)
effects = sa.Table("effects", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("number", sa.Integer))

@job(name="effect", retries=100)
async def effect(run, number: int):
    print("began", flush=True)
    await asyncio.sleep(random.uniform(0, 0.02))
    async with run.transaction() as session:
        await session.execute(sa.insert(effects).values(number=number))
        await asyncio.sleep(random.uniform(0, 0.005))

async def main():
    url, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    database = Database(url, metadata=metadata)
    await database.start(create_tables=True)
    async with database.unit_of_work() as unit:
        for number in range(first, first + count):
            await effect.enqueue(unit, number)
        await unit.commit()
    async with Worker(database, [effect], concurrency=3, lease=0.5):
        while any((await job_counts(database)).values()):
            await asyncio.sleep(0.05)
    await database.dispose()

asyncio.run(main())
"""


def work(url: str, first: int, count: int, *, kill: bool) -> None:
    """Ask for jobs and work at them, to the end or until the process is killed in the middle."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, url, str(first), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if kill:
            assert process.stdout.readline() == b"began\n"
            time.sleep(random.uniform(0, 0.1))
            process.kill()
        process.stdout.read()
    assert process.returncode == 0 or kill


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
def test_killed_workers_lose_no_job_and_repeat_no_effect(database_url: str) -> None:
    """Reliability, SIGKILL under writes: as many effects as jobs, whichever moment the worker died at."""
    for cycle in range(CYCLES):
        work(database_url, cycle * JOBS_EACH, JOBS_EACH, kill=True)
    work(database_url, 0, 0, kill=False)
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}
    url = sa.make_url(database_url)
    engine = sa.create_engine(url.set(drivername=driver[url.get_backend_name()]))
    with engine.connect() as connection:
        numbers = list(connection.scalars(sa.text("SELECT number FROM effects ORDER BY number")))
    engine.dispose()
    assert numbers == list(range(CYCLES * JOBS_EACH))
