"""The database is stopped, killed and started again under load; connections run out; statements take too long."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Database, PoolSettings, get_db
from colonnade.testing import PostgreSQL
from tests.library import Shelf, client_of, installed, library, new_book
from tests.reliability.faulty import is_told, refused
from tests.reliability.figures import SOAK, note, times

pytestmark = [pytest.mark.anyio, pytest.mark.needs("postgresql")]

CYCLES = times(5, 100)


@pytest.mark.parametrize("is_crash", [False, True], ids=["stopped", "killed"])
async def test_the_database_goes_and_comes_under_load(is_crash: bool) -> None:
    """Reliability, database stopped and started: 2xx or 503 with Retry-After, what was answered is there, 200s at once."""
    with PostgreSQL(durable=is_crash) as server:
        database = Database(server.url, metadata=Shelf.metadata, pool=PoolSettings(size=5))
        async with library(server.url, database=database) as client:
            await new_book(client, "before")
            statuses: Counter[int] = Counter()
            stored: list[str] = []
            back: list[float] = []
            is_over = False

            async def press(number: int) -> None:
                while not is_over:
                    title = f"{number}.{statuses.total()}"
                    answer = await client.post("books", json={"title": title})
                    if is_told(answer, 201):
                        stored.append(title)
                    statuses[answer.status_code] += 1
                    statuses[(await client.get("books/1")).status_code] += 1
                    await asyncio.sleep(0)

            pressing = [asyncio.create_task(press(number)) for number in range(6)]
            for _ in range(CYCLES if not is_crash else 2):
                await asyncio.sleep(0.1)
                await asyncio.to_thread(server.kill if is_crash else server.stop)
                assert refused(await client.get("books/1")) == "CLN510"
                await asyncio.to_thread(server.start)
                began = time.monotonic()
                async with asyncio.timeout(
                    2 if SOAK else 30
                ):  # the long form runs on a machine that has nothing else to do
                    while (await client.get("books/1")).status_code != 200:
                        await asyncio.sleep(0)
                back.append(time.monotonic() - began)
            is_over = True
            await asyncio.gather(*pressing)
            assert set(statuses) <= {200, 201, 503}
            titles = {title for (title,) in await _rows(server.url, "SELECT title FROM books")}
            assert set(stored) <= titles
            name = "database killed and started" if is_crash else "database stopped and started"
            note(name, "PostgreSQL", cycles=len(back), answers=dict(statuses), back_after=f"{max(back):.3f} s")


async def _rows(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_pool_that_is_used_up_says_so(database_url: str) -> None:
    """Reliability, pool exhausted: 503 with Retry-After when the time for waiting is over, and then all is well."""
    pool = PoolSettings(size=2, timeout=PoolSettings().timeout if SOAK else 0.3)
    database = Database(database_url, metadata=Shelf.metadata, pool=pool)
    async with library(database_url, database=database) as client:
        book = await new_book(client)
        async with _all_lent(database):
            began = time.monotonic()
            answers = await asyncio.gather(*_ten_of_each(client, book["id"]))
            waited = time.monotonic() - began
        assert waited < (2.5 if SOAK else 30)  # the long form runs on a machine that has nothing else to do
        assert {refused(answer) for answer in answers} == {"CLN511"}
        assert (await client.get(f"books/{book['id']}")).json()["version"] == 1
        assert (await client.patch(f"books/{book['id']}", json={"pages": 3})).status_code == 200
        note("pool exhausted", database.dialect.name, timeout=f"{pool.timeout} s", answered_after=f"{waited:.2f} s")


@pytest.mark.databases("postgresql", "mariadb")
async def test_liveness_does_not_wait_for_the_pool(database_url: str) -> None:
    """Reliability, pool exhausted: liveness answers while everybody else waits, who is served when a connection is back."""
    database = Database(database_url, metadata=Shelf.metadata, pool=PoolSettings(size=2, timeout=60))
    async with library(database_url, database=database) as client:
        book = await new_book(client)
        async with _all_lent(database):
            asking = [asyncio.create_task(asked) for asked in _ten_of_each(client, book["id"])]
            while database.engine.sync_engine.pool.waiting < len(asking):  # type: ignore[attr-defined]  # a LendingPool
                await asyncio.sleep(0.01)
            async with asyncio.timeout(0.1 if SOAK else 30):
                assert (await client.get("http://library.test/health/live")).status_code == 200
            assert not any(task.done() for task in asking)
        assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}


def _ten_of_each(client: httpx.AsyncClient, id: int) -> list[Coroutine[Any, Any, httpx.Response]]:
    """Read and change one book, ten times each."""
    changes = [client.patch(f"books/{id}", json={"pages": pages}) for pages in range(10)]
    return [client.get(f"books/{id}") for _ in range(10)] + changes


@asynccontextmanager
async def _all_lent(database: Database) -> AsyncIterator[None]:
    """Hold both connections of a pool."""
    async with database.session() as one, database.session() as two:
        for session in (one, two):
            await session.execute(sa.text("SELECT 1"))
        yield


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_lock_that_is_not_released_is_given_up(database_url: str) -> None:
    """S59: a change that waits for somebody's lock longer than LOCK_TIMEOUT is 503, and stored when it is sent again."""
    database = Database(database_url, metadata=Shelf.metadata, pool=PoolSettings(lock_timeout=0.3))
    async with library(database_url, database=database) as client:
        book = await new_book(client)
        async with database.session() as session:
            await session.execute(sa.text("UPDATE books SET pages = 5"))
            assert refused(await client.patch(f"books/{book['id']}", json={"pages": 3})) == "CLN512"
            await session.rollback()
        assert (await client.patch(f"books/{book['id']}", json={"pages": 3})).json()["version"] == 2


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_statement_that_runs_too_long_is_stopped(database_url: str) -> None:
    """S59: an application's own statement is stopped after STATEMENT_TIMEOUT, and its connection serves the next one."""
    app = FastAPI()
    sleep = "SELECT pg_sleep(30)" if database_url.startswith("postgresql") else "SELECT SLEEP(30)"

    @app.get("/slow")
    async def slow(session: Annotated[AsyncSession, Depends(get_db)]) -> str:
        return str((await session.execute(sa.text(sleep))).scalar())

    @app.get("/quick")
    async def quick(session: Annotated[AsyncSession, Depends(get_db)]) -> str:
        return str((await session.execute(sa.text("SELECT 1"))).scalar())

    database = await installed(app, database_url, PoolSettings(statement_timeout=1))
    async with client_of(app, "/") as client:
        answers: list[httpx.Response] = await asyncio.gather(*[client.get("slow") for _ in range(3)])
        assert {refused(answer) for answer in answers} == {"CLN512"}
        assert (await client.get("quick")).json() == "1"
    await database.dispose()
