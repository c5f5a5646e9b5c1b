"""Nothing stale is read after a write was answered: through another worker, with Redis there, away, or back again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from colonnade.testing import Valkey
from colonnade.testing.faults import BLACK_HOLE, HEALTHY, RESET, FaultProxy
from tests.anthology import anthology, anthology_app, read
from tests.house.tree import ROOT
from tests.library import create
from tests.reliability.figures import kind_of, note, times

LIST = "stories?include=author&count=exact"
WRITES = times(1_000, 100_000)

SERVER = """
import asyncio, socket, sys, uvicorn
from tests.anthology import anthology_app

settings = dict(pair.split("=", 1) for pair in sys.argv[2:])
app = anthology_app(sys.argv[1], **settings)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])
"""


@contextmanager
def worker(database_url: str, **settings: str) -> Iterator[int]:
    """Serve the application in a process of its own; give its port."""
    words = [f"{name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-W", "ignore", "-c", SERVER, database_url, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def client_on(port: int) -> httpx.AsyncClient:
    """Make a client of a worker."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1/", timeout=30)


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file", "postgresql")
async def test_written_through_one_read_through_the_other(database_url: str, valkey_url: str) -> None:
    """S30, reliability, cache: what worker A has answered, worker B tells, each time, with each its own memory or Redis."""
    shared = database_url.startswith("postgresql")
    settings = {"redis_url": valkey_url} if shared else {}
    with worker(database_url, **settings) as one, worker(database_url, **settings) as two:
        async with client_on(one) as a, client_on(two) as b:
            await create(a, "authors", name="Poe")
            story = await create(a, "stories", title="0", author_id=1)
            stale = 0
            for number in range(1, WRITES + 1):
                path, body = (f"stories/{story['id']}", "title") if number % 2 else ("authors/1", "name")
                assert (await a.patch(path, json={body: str(number)})).status_code == 200
                row = (await read(b, LIST))["stories"][0]
                told = row["title"] if body == "title" else row["author"]["name"]
                stale += told != str(number)
                if number % 7 == 0:  # and the worker that wrote has it as well, from the other one's entry
                    assert (await read(a, LIST))["stories"][0] == row
            note("cache, A writes and B reads", kind_of(database_url), writes=WRITES, stale=stale, redis=shared)
            assert stale == 0


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_written_while_read(database_url: str) -> None:
    """S30, reliability, cache: while many read and write at once, nobody reads less than was answered before he asked."""
    app = anthology_app(database_url)
    async with anthology(app) as client:
        await create(client, "authors", name="Poe")
        story = await create(client, "stories", title="0", author_id=1)
        answered = 0

        async def write() -> None:
            nonlocal answered
            for number in range(1, WRITES // 10 + 1):
                assert (await client.patch(f"stories/{story['id']}", json={"title": str(number)})).status_code == 200
                answered = number
                await asyncio.sleep(0)

        async def ask(writing: asyncio.Task[None]) -> None:
            while not writing.done():
                before = answered
                assert int((await read(client, LIST))["stories"][0]["title"]) >= before
                await asyncio.sleep(0)

        writing = asyncio.create_task(write())
        await asyncio.gather(writing, *[ask(writing) for _ in range(8)])
        # Whether anybody met a kept answer in that crowd is chance; that answers are kept is not.
        hits = app.state.colonnade.answers.hits
        for _ in range(2):
            assert int((await read(client, LIST))["stories"][0]["title"]) == answered
        assert app.state.colonnade.answers.hits > hits


@pytest.mark.anyio
@pytest.mark.needs("valkey")
async def test_redis_away_and_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """S30: while Redis is away, cut off or silent the database answers, and when it is back nothing old comes from it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cache') / 'a.db'}"
    with Valkey() as valkey:
        async with FaultProxy(valkey.url) as proxy:
            app = anthology_app(url, redis_url=proxy.url)
            async with anthology(app) as client:
                await create(client, "authors", name="0")
                await create(client, "stories", title="The Raven", author_id=1)
                for number, fault in enumerate((RESET, BLACK_HOLE, RESET), 1):
                    await read(client, LIST)
                    await read(client, LIST)
                    proxy.fault = fault
                    for _ in range(3):
                        assert (await client.patch("authors/1", json={"name": f"away {number}"})).status_code == 200
                        shown = (await read(client, LIST))["stories"][0]["author"]["name"]
                        assert shown == f"away {number}"
                    await client.patch("authors/1", json={"name": str(number)})
                    proxy.fault = HEALTHY
                    app.state.colonnade.answers._entries._asked_again = 0.0
                    assert (await read(client, LIST))["stories"][0]["author"]["name"] == str(number)
                hits = app.state.colonnade.answers.hits
                await read(client, LIST)
                await read(client, LIST)
                assert app.state.colonnade.answers.hits > hits
