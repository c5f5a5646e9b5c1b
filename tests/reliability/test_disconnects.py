"""Clients that go away in the middle of their requests leave nothing behind: no transaction, no connection, no half row."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
import sqlalchemy as sa

from colonnade import Change, Database, PoolSettings, Resource, Service
from tests.library import Book, Publisher, Shelf, client_of, library_app
from tests.reliability.figures import SOAK, kind_of, note, times
from tests.serving import serving

pytestmark = pytest.mark.anyio

CLIENTS = times(500, 50_000)


class Slow(Service):
    """Takes a moment inside the transaction."""

    async def after_create(self, change: Change) -> None:
        """Wait, so that some clients go away just then."""
        await asyncio.sleep(random.uniform(0, 0.01))


POST = b"POST /api/v1/books HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
REQUESTS = [
    POST % 16 + b'{"title":"Emma"}',
    b"GET /api/v1/books?count=exact HTTP/1.1\r\nhost: x\r\n\r\n",
    POST % 99 + b'{"title":"Em',
]


async def leave(port: int, request: bytes) -> None:
    """Send a request and go away: at once, or a moment later; in order or by a reset."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await asyncio.sleep(random.choice((0, 0.001, 0.01)))
    writer.transport.abort() if random.random() < 0.5 else writer.close()


@pytest.mark.databases("sqlite-file", "postgresql")
async def test_clients_that_leave_leave_nothing_behind(database_url: str) -> None:
    """Reliability, client disconnects: after two seconds no transaction is open, and the whole pool is there again."""
    database = Database(database_url, metadata=Shelf.metadata, pool=PoolSettings(size=5))
    app = library_app(database, resources=[Resource(Book, service=Slow()), Resource(Publisher)])
    with serving(app) as port:
        for _ in range(CLIENTS // 25):
            await asyncio.gather(*[leave(port, random.choice(REQUESTS)) for _ in range(25)])
            await asyncio.sleep(0.02)
        began = time.monotonic()
        pool = database.engine.pool
        assert isinstance(pool, sa.QueuePool)
        async with asyncio.timeout(2 if SOAK else 30):  # the long form runs on a machine that has nothing else to do
            while pool.checkedout() or await _open_transactions(database_url):
                await asyncio.sleep(0.01)
        waited = time.monotonic() - began
    async with app.router.lifespan_context(app), client_of(app) as client:
        answer = await client.post("books", json={"title": "Emma"})
        assert answer.status_code == 201
        total = (await client.get("books")).json()["total"]
        note(
            "client disconnects", kind_of(database_url), clients=CLIENTS, rows=total, pool_full_after=f"{waited:.2f} s"
        )


async def _open_transactions(database_url: str) -> int:
    if not database_url.startswith("postgresql"):
        return 0
    watching = Database(database_url)
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tr%'"
    try:
        async with watching.session(read_only=True) as session:
            return int((await session.execute(sa.text(idle))).scalar_one())
    finally:
        await watching.dispose()


@pytest.mark.databases("sqlite-memory", "sqlite-file", "postgresql", "mariadb")
async def test_cancelled_requests_give_back_what_they_held(database_url: str) -> None:
    """S59: requests that are cancelled at any point of their way leave the pool full and the rows whole."""
    database = Database(database_url, metadata=Shelf.metadata, pool=PoolSettings(size=3, timeout=30))
    app = library_app(database, resources=[Resource(Book, service=Slow()), Resource(Publisher)])
    async with app.router.lifespan_context(app), client_of(app) as client:
        for _ in range(CLIENTS // 50):
            asking = [asyncio.create_task(client.post("books", json={"title": "Emma"})) for _ in range(6)]
            asking += [asyncio.create_task(client.get("books?count=exact&limit=5")) for _ in range(4)]
            await asyncio.sleep(random.uniform(0, 0.02))
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*[client.post("books", json={"title": "Emma"}) for _ in range(10)])
        assert {answer.status_code for answer in answers} == {201}
        pool = database.engine.pool
        if isinstance(pool, sa.QueuePool):
            async with asyncio.timeout(30):
                while pool.checkedout():
                    await asyncio.sleep(0.01)
            assert pool.overflow() <= 0
