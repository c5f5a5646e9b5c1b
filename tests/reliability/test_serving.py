"""Starting, restarting and stopping a real server under load: nothing that was asked is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.processes import Served, served

pytestmark = pytest.mark.anyio


class Load:
    """Clients that read and write without a pause, each on a connection of its own, until told to stop."""

    def __init__(self, server: Served, clients: int = 3) -> None:
        self.server = server
        self.clients = clients
        self.seen: Counter[object] = Counter()
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        """Ask until `stopped` is set."""
        await asyncio.gather(*(self._ask() for _ in range(self.clients)))

    async def _ask(self) -> None:
        async with httpx.AsyncClient(base_url=self.server.root, timeout=30) as client:
            while not self.stopped.is_set():
                for method, path, body in (
                    ("POST", "/api/notes", {"text": "x"}),
                    ("GET", "/api/notes/1", None),
                    ("GET", "/api/notes?limit=5", None),
                ):
                    try:
                        answer = await client.request(method, path, json=body)
                        self.seen[answer.status_code] += 1
                    except httpx.HTTPError as error:
                        self.seen[repr(error)] += 1
                await asyncio.sleep(0.02)  # two cores are shared with the server itself


async def _pids(server: Served) -> set[int]:
    async with httpx.AsyncClient(base_url=server.root) as client:
        found = set()
        for _ in range(24):
            found.add((await client.get("/pid", headers={"Connection": "close"})).json())
        return found


async def test_a_rolling_restart_loses_no_request(tmp_path: Path) -> None:
    """Every worker is replaced under load, and each request is answered: none refused, reset or failed."""
    with served(tmp_path, "--workers", "2") as server:
        before = await _pids(server)
        load = Load(server)
        asking = asyncio.create_task(load.run())
        await asyncio.sleep(0.5)
        server.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(120):
            while before & await _pids(server):
                await asyncio.sleep(0.2)
        await asyncio.sleep(0.5)
        load.stopped.set()
        await asking
        async with httpx.AsyncClient(base_url=server.root) as client:
            stored = (await client.get("/api/notes?count=exact")).json()["total"]
            await asyncio.sleep(1.5)  # until the workers have told each other
            told = (await client.get("/metrics")).text
    assert set(load.seen) == {200, 201}, load.seen
    assert stored == load.seen[201]
    # S57: the figures are of all workers together, and of those that have ended too.
    assert f'http_requests_total{{method="POST",route="/api/notes",status="201"}} {float(stored)}' in told


async def test_a_stop_lets_everything_end_and_takes_nothing_new(tmp_path: Path) -> None:
    """After SIGTERM what has begun is answered, a kept connection may send once more, a new one is refused, then it ends."""
    with served(tmp_path, SQL_ECHO="on") as server:
        kept, silent, busy = (httpx.AsyncClient(base_url=server.root, timeout=30) for _ in range(3))
        async with kept, silent, busy:
            await silent.get("/health")
            await kept.get("/health")
            asking = asyncio.create_task(busy.get("/slow?seconds=2"))
            await asyncio.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.4)
            last = await kept.get("/health")
            assert (last.status_code, last.headers["connection"]) == (200, "close")
            async with httpx.AsyncClient(base_url=server.root) as late:
                with pytest.raises(httpx.ConnectError):
                    await late.get("/health")
            assert (await asking).status_code == 200
            await asyncio.to_thread(server.process.wait, 25)
        rows = [json.loads(line) for line in server.log.read_text().splitlines()]
    # S37: in JSON every line of the process's output is one, the server's own messages and SQL_ECHO's among them.
    assert any(row.get("route") == "/slow" and row["status"] == 200 for row in rows)
    assert any("SELECT 1" in row["event"] and row["logger"].startswith("sqlalchemy") for row in rows)
