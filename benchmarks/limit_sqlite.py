"""The limit on SQLite: bare ASGI on sqlite3, on the event loop's own thread.

A keyed read takes less time than handing it to a thread would. SQLite makes the JSON and gives
it as bytes. One writer thread takes all the changes that wait and commits them together, durably.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bare import application
from benchmarks.data import PUBLIC
from benchmarks.urls import from_environment, sqlite_path

_TIMES = {"last_login_at", "created_at", "updated_at"}


def _json_member(name: str) -> str:
    if name in _TIMES:
        return f"'{name}', replace({name}, ' ', 'T') || 'Z'"
    if name == "is_active":
        return "'is_active', json(iif(is_active, 'true', 'false'))"
    return f"'{name}', {name}"


_OBJECT = "json_object(" + ", ".join(map(_json_member, PUBLIC)) + ")"
_FIELDS = ", ".join(PUBLIC)
_GET = f"SELECT CAST({_OBJECT} AS BLOB) FROM users WHERE id = ?"
_PAGE = (
    f"SELECT CAST(json_group_array({_OBJECT}) AS BLOB) FROM (SELECT {_FIELDS} FROM users ORDER BY id LIMIT ? OFFSET ?)"
)
_RENAME = (
    "UPDATE users SET full_name = ?, version = version + 1, updated_at = ? WHERE id = ? "
    f"RETURNING CAST({_OBJECT} AS BLOB)"
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit whose commits survive a power cut."""
    link = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    link.execute("PRAGMA journal_mode = WAL")
    link.execute("PRAGMA synchronous = FULL")
    return link


@dataclass(slots=True, eq=False)
class Change:
    """One waiting change and where its answer goes."""

    number: int
    full_name: str
    answer: asyncio.Future[bytes | None]
    row: bytes | None = None


class Writer:
    """The one thread that writes."""

    def __init__(self, path: Path) -> None:
        self._link = connect(path)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Change] = []
        self._wake = threading.Event()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    def submit(self, change: Change) -> None:
        """Let a change wait for the next commit."""
        self._waiting.append(change)
        self._wake.set()

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._open = False
        self._wake.set()
        self._thread.join()
        self._link.close()

    def _run(self) -> None:
        while self._open:
            self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[Change]) -> None:
        execute = self._link.execute
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        execute("BEGIN IMMEDIATE")
        for change in batch:
            found = execute(_RENAME, (change.full_name, now, change.number)).fetchall()
            change.row = found[0][0] if found else None
        execute("COMMIT")
        self._loop.call_soon_threadsafe(_tell, batch)


def _tell(batch: list[Change]) -> None:
    for change in batch:
        if not change.answer.done():
            change.answer.set_result(change.row)


class Sqlite:
    """The backend of `bare.application` on one reading and one writing connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self) -> None:
        """Open the reader and start the writer."""
        self._reader = connect(self._path)
        self._writer = Writer(self._path)
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Stop the writer and close the reader."""
        self._writer.close()
        self._reader.close()

    async def get(self, number: int) -> bytes | None:
        """One user by id."""
        row = self._reader.execute(_GET, (number,)).fetchone()
        return row[0] if row else None

    async def page(self, skip: int, limit: int) -> bytes:
        """Some users in the order of their ids."""
        (array,) = self._reader.execute(_PAGE, (limit, skip)).fetchone()
        return b'{"users":%b,"skip":%d,"limit":%d}' % (array, skip, limit)

    async def rename(self, number: int, full_name: str) -> bytes | None:
        """One user after the change was committed."""
        answer: asyncio.Future[bytes | None] = self._loop.create_future()
        self._writer.submit(Change(number, full_name, answer))
        return await answer


app = application(Sqlite(sqlite_path(from_environment())))
