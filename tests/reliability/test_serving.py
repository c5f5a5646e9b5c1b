"""Starting, restarting and stopping a real server under load: nothing that was asked is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.processes import Served, served

pytestmark = pytest.mark.anyio


class Load:
    """Clients that read and write without a pause, each on a connection of its own, until told to stop."""

    def __init__(self, server: Served, clients: int = 4) -> None:
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
                await asyncio.sleep(0.005)  # two cores are shared with the server itself


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


async def test_a_stop_lets_requests_end_and_takes_no_new_ones(tmp_path: Path) -> None:
    """After SIGTERM a request that has begun is answered, a new connection is refused, and the process ends."""
    with served(tmp_path) as server:
        answers: list[int] = []

        def ask_slowly() -> None:
            answers.append(httpx.get(f"{server.root}/slow?seconds=2", timeout=30).status_code)

        asking = threading.Thread(target=ask_slowly)
        asking.start()
        await asyncio.sleep(0.7)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            await asyncio.to_thread(httpx.get, f"{server.root}/health")
        assert server.process.poll() is None
        asking.join()
        server.process.wait(25)
        rows = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert answers == [200]
    # S37: in production format every line of the process's output is JSON, the server's own messages among them.
    assert any(row.get("route") == "/slow" and row["status"] == 200 for row in rows)


async def test_a_stop_waits_for_an_idle_connection_only_briefly(tmp_path: Path) -> None:
    """A kept connection gets its next answer with `Connection: close`, and holds up nothing when it is silent."""
    with served(tmp_path) as server:
        async with (
            httpx.AsyncClient(base_url=server.root) as speaking,
            httpx.AsyncClient(base_url=server.root) as silent,
        ):
            await silent.get("/health")
            await speaking.get("/health")
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.4)
            answer = await speaking.get("/health")
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
            await asyncio.to_thread(server.process.wait, 10)
