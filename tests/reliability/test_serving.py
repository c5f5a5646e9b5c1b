"""Starting, restarting and stopping a real server under load: nothing that was asked is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from tests.processes import Served, served
from tests.reliability.figures import note, seconds

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


def _migrate(folder: Path) -> None:
    """Add a column that the running code can live with, and put the code that knows it in place."""
    with closing(sqlite3.connect(folder / "notes.db", timeout=20)) as connection:
        connection.execute("ALTER TABLE notes ADD COLUMN colour VARCHAR(20)")
        connection.commit()
    code = (folder / "notes.py").read_text()
    text = "text: Mapped[str] = mapped_column(String(200))\n"
    more = "    colour: Mapped[str | None] = mapped_column(String(20))\n"
    (folder / "notes.py").write_text(code.replace(text, text + more))


async def _pids(server: Served, workers: int) -> set[int]:
    """Ask until so many workers have answered; many at once, since one that is idle may take whatever comes singly."""
    found: set[int] = set()
    async with httpx.AsyncClient(base_url=server.root, timeout=30, headers={"Connection": "close"}) as client:
        while len(found) < workers:
            found |= {answer.json() for answer in await asyncio.gather(*[client.get("/pid") for _ in range(16)])}
    return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_rolling_restart_with_a_migration_loses_no_request(tmp_path: Path) -> None:
    """Under load the table gets a column and every worker is replaced by one that knows it; each request is answered."""
    with served(tmp_path, "--workers", "2") as server:
        before = await _pids(server, 2)
        load = Load(server)
        asking = asyncio.create_task(load.run())
        await asyncio.sleep(0.3)
        _migrate(tmp_path)
        await asyncio.sleep(0.3)
        server.process.send_signal(signal.SIGHUP)
        while any(map(_is_alive, before)):
            await asyncio.sleep(0.1)
        assert not before & await _pids(server, 2)
        load.stopped.set()
        await asking
        async with httpx.AsyncClient(base_url=server.root) as client:
            stored = (await client.get("/api/notes?count=exact")).json()["total"]
            assert (await client.get("/api/notes/1")).json() == {"id": 1, "text": "x", "colour": None}
            # S57: the figures are of all workers together, and of those that have ended too; they tell each other in time.
            series = f'http_requests_total{{method="POST",route="/api/notes",status="201"}} {float(stored)}'
            async with asyncio.timeout(30):
                while series not in (await client.get("/metrics")).text:
                    await asyncio.sleep(0.1)
    assert set(load.seen) == {200, 201}, load.seen
    assert stored == load.seen[201]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's memory and files like this")
async def test_memory_and_open_files_stay_as_they_are(tmp_path: Path) -> None:
    """Under mixed load a warm server opens no further file, and its memory does not grow with the number of requests."""
    with served(tmp_path) as server:
        await _ask_often(server, 60)
        files, memory = _open_files(server), _resident(server)
        end = time.monotonic() + seconds(0, 8 * 3600)
        rounds = 0
        while rounds < 120 or time.monotonic() < end:
            await _ask_often(server, 60)
            rounds += 60
        async with asyncio.timeout(30):  # the socket of the last client is closed when the server gets to it
            while _open_files(server) > files:
                await asyncio.sleep(0.05)
        grown = _resident(server) - memory
        note("memory and open files", "SQLite", requests=6 * rounds, grown=f"{grown} KiB of {memory}", files=files)
    assert grown < 2_000, memory  # KiB; a leak of three KiB a request would be more


async def _ask_often(server: Served, times: int) -> None:
    """Create, read, list, change, miss and refuse, so many times each."""
    async with httpx.AsyncClient(base_url=server.root, timeout=30) as client:
        for _ in range(times):
            made = (await client.post("/api/notes", json={"text": "x"})).json()
            place = f"/api/notes/{made['id']}"
            await client.patch(place, json={"text": "y"})
            await client.get("/api/notes?limit=5&sort=-id")
            await client.post("/api/notes", content=b"{")
            await client.delete(place)
            await client.get(place)


def _open_files(server: Served) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def _resident(server: Served) -> int:
    """Give the memory of the process in KiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def test_a_stop_lets_everything_end_and_takes_nothing_new(tmp_path: Path) -> None:
    """After SIGTERM what has begun is answered, a kept connection may send once more, a new one is refused, then it ends.

    SIGHUP before that, which has no other worker to take over, ends nothing.
    """
    with served(tmp_path, SQL_ECHO="on") as server:
        kept, silent, busy = (httpx.AsyncClient(base_url=server.root, timeout=30) for _ in range(3))
        async with kept, silent, busy:
            await silent.get("/health")
            await kept.get("/health")
            asking = asyncio.create_task(busy.get("/slow"))
            while not (tmp_path / "begun").exists():
                await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGHUP)
            while b"serve with --workers 2" not in server.log.read_bytes():
                await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            await _until_refused(server)
            last = await kept.get("/health")
            assert (last.status_code, last.headers["connection"]) == (200, "close")
            assert not asking.done()
            (tmp_path / "go-on").touch()
            assert (await asking).status_code == 200
            await asyncio.to_thread(server.process.wait, 25)
        rows = [json.loads(line) for line in server.log.read_text().splitlines()]
    # S37: in JSON every line of the process's output is one, the server's own messages and SQL_ECHO's among them.
    assert any(row.get("route") == "/slow" and row["status"] == 200 for row in rows)
    assert any("SELECT 1" in row["event"] and row["logger"].startswith("sqlalchemy") for row in rows)


async def _until_refused(server: Served) -> None:
    """Connect anew until nobody listens any more."""
    async with asyncio.timeout(20):
        with suppress(httpx.ConnectError):
            while True:
                async with httpx.AsyncClient(base_url=server.root, timeout=30) as late:
                    await late.get("/health")
                await asyncio.sleep(0.01)
