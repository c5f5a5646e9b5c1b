"""Jobs in the serving process: begun as soon as a request has committed them, and left alone where that is off."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from colonnade import Change, Database, JobRun, Service, Settings, create_app, job, job_table
from tests.library import Shelf, book_resource, client_of, new_book

pytestmark = pytest.mark.anyio

METADATA = sa.MetaData()
job_table(METADATA)


@pytest.mark.parametrize("is_on", [True, False])
async def test_a_serving_process_runs_jobs_unless_it_is_told_not_to(database_url: str, is_on: bool) -> None:
    """S27: woken by the commit of the request that asked; with JOBS=off another process does it."""
    began = asyncio.Event()

    @job(name="announce")
    async def announce(run: JobRun, id: int) -> None:
        began.set()

    class Announcing(Service):
        async def after_create(self, change: Change) -> None:
            await announce.enqueue(change, change.id)

    settings = Settings(env="test", jobs=is_on, _env_file=None)
    database = Database(database_url, metadata=Shelf.metadata)
    app = create_app([book_resource(Announcing())], database=database, settings=settings, jobs=[announce])
    async with app.router.lifespan_context(app), client_of(app) as client:
        async with database.engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        await new_book(client)
        if is_on:
            async with asyncio.timeout(30):
                await began.wait()
    assert began.is_set() == is_on
