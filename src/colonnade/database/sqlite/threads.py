"""Long reads, each on a thread with a connection of its own, under a limit of time."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from colonnade.database.driver import Statement
from colonnade.database.sqlite.connection import Connect

Rows = Sequence[Sequence[Any]]


class ThreadedReads:
    """A few threads for reads that would hold the event loop too long.

    Args:
        connect: opens a connection; called on a thread.
        count: how many reads run at once; the others wait in turn.
        busy_timeout: seconds that a read waits for a lock.
        time_limit: seconds after which a running read is stopped.
    """

    def __init__(self, connect: Connect, *, count: int = 4, busy_timeout: float = 2.0, time_limit: float = 5.0) -> None:
        self._connect = connect
        self._busy_timeout = busy_timeout
        self._time_limit = time_limit
        self._threads = ThreadPoolExecutor(count, "colonnade-sqlite-read")
        self._turns = asyncio.Semaphore(count)
        self._idle: list[sqlite3.Connection] = []
        self._open: set[sqlite3.Connection] = set()

    @property
    def running(self) -> int:
        """How many reads run."""
        return len(self._open) - len(self._idle)

    async def fetch(self, statement: Statement) -> tuple[Rows, float]:
        """Run one read; give its rows and the seconds of CPU that it took.

        A cancelled caller stops the statement.

        Raises:
            sqlite3.OperationalError: locked for longer than the busy timeout, or interrupted by the time limit.
            sqlite3.Error: anything else that SQLite refuses.
        """
        loop = asyncio.get_running_loop()
        await self._turns.acquire()
        try:
            connection = self._idle.pop() if self._idle else await asyncio.to_thread(self._open_one)
        except BaseException:
            self._turns.release()
            raise
        # Not a progress handler: some single steps take long (counting a table); only an interrupt reaches into them.
        timer = loop.call_later(self._time_limit, connection.interrupt)
        work = loop.run_in_executor(self._threads, _read, connection, statement)
        work.add_done_callback(partial(self._give_back, connection, timer))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            connection.interrupt()
            raise

    async def dispose(self) -> None:
        """Stop what is running, wait for it, close the connections."""
        for connection in self._open:
            connection.interrupt()
        await asyncio.to_thread(self._threads.shutdown)
        while self._open:
            self._open.pop().close()
        self._idle.clear()

    def _give_back(
        self, connection: sqlite3.Connection, timer: asyncio.TimerHandle, work: asyncio.Future[tuple[Rows, float]]
    ) -> None:
        """Only now is the thread through with the connection; a cancelled caller has long gone."""
        timer.cancel()
        self._idle.append(connection)
        self._turns.release()
        if not work.cancelled():
            work.exception()  # nobody else may be there to look at it

    def _open_one(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")
        self._open.add(connection)
        return connection


def _read(connection: sqlite3.Connection, statement: Statement) -> tuple[Rows, float]:
    began = time.thread_time()
    rows = connection.execute(statement.sql, statement.arguments).fetchall()
    return rows, time.thread_time() - began
