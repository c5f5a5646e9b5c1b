"""PostgreSQL goes away, ends sessions, or is cut in the middle of a ROLLBACK: 503 or the right refusal, never a 500."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from app.main import build
from colonnade import Base, Database, PoolSettings, Settings
from colonnade.testing import PostgreSQL
from tests.shop import administrator_of, let_act, line, new_product, new_user

pytestmark = [pytest.mark.anyio, pytest.mark.needs("postgresql")]

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = $1"


@asynccontextmanager
async def _shop(url: str) -> AsyncIterator[httpx.AsyncClient]:
    database = Database(url, metadata=Base.metadata, pool=PoolSettings(size=4))
    app = let_act(build(Settings(env="test", _env_file=None), database))
    async with app.router.lifespan_context(app), administrator_of(app, "/api/v1/") as client:
        yield client


async def _press(shop: httpx.AsyncClient, seen: Counter[int], stop: asyncio.Event, user: int, product: int) -> None:
    """Read, list, change and order until told to stop; a 503 must say when to come back."""
    order = {"user_id": user, "lines": [{"product_id": product, "quantity": 1}]}
    while not stop.is_set():
        for answer in (
            await shop.get(f"products/{product}"),
            await shop.get("products?include=category"),
            await shop.patch(f"users/{user}", json={"bio": "x"}),
            await shop.post("orders", json=order),
            await shop.post("orders", json={**order, "user_id": 2**40}),
        ):
            seen[answer.status_code] += 1
            assert answer.status_code != 503 or answer.headers["retry-after"]


async def test_ended_sessions_are_no_500() -> None:
    """S59: sessions that the server ends under load give what they would have given, or 503 with Retry-After."""
    with PostgreSQL() as server:
        async with _shop(server.url) as shop:
            user, product = await new_user(shop), await new_product(shop, quantity=1_000_000)
            seen: Counter[int] = Counter()
            stop = asyncio.Event()
            pressing = [asyncio.create_task(_press(shop, seen, stop, user["id"], product["id"])) for _ in range(6)]
            admin = await asyncpg.connect(server.url)
            for _ in range(40):
                await admin.execute(END_SESSIONS, "postgres")
                await asyncio.sleep(0.06)
            await admin.close()
            stop.set()
            await asyncio.gather(*pressing)
            assert set(seen) <= {200, 201, 409, 503}
            assert seen[200] > 0
            assert (await shop.get(f"products/{product['id']}")).status_code == 200


async def test_a_restart_is_over_at_once() -> None:
    """S59: while PostgreSQL is stopped requests are 503, and the first ones after its return are 200 again."""
    with PostgreSQL() as server:
        async with _shop(server.url) as shop:
            product = await new_product(shop)
            for _ in range(3):
                server.stop()
                away = await shop.get(f"products/{product['id']}")
                assert (away.status_code, away.json()["code"]) == (503, "CLN510")
                assert away.headers["retry-after"]
                server.start()
                assert (await shop.get(f"products/{product['id']}")).status_code == 200


async def test_a_connection_cut_during_rollback_keeps_the_refusal() -> None:
    """S76: the client is told why its order was refused, though the rollback found no connection any more."""
    with PostgreSQL() as server:
        armed = asyncio.Event()
        async with _proxy(server.port, armed) as port:
            url = server.url.replace(f":{server.port}/", f":{port}/")
            async with _shop(url) as shop:
                user, product = await new_user(shop), await new_product(shop, quantity=1)
                body = {"user_id": user["id"], "lines": [line(product, 5)]}
                armed.set()
                for _ in range(3):
                    assert (await shop.post("orders", json=body)).status_code in {409, 503}


@asynccontextmanager
async def _proxy(target: int, armed: asyncio.Event) -> AsyncIterator[int]:
    """Pass bytes on to PostgreSQL and, once armed, cut the connection when a ROLLBACK goes by."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if armed.is_set() and b"ROLLBACK" in data:
                cut.set()
                return
            writer.write(data)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
        cut = asyncio.Event()
        ways = [
            asyncio.create_task(pass_on(reader, there_writer, cut)),
            asyncio.create_task(pass_on(there_reader, writer, cut)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, there_writer):
            end.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
