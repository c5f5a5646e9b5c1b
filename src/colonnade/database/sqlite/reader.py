"""Reads: where they stand when they are short, on a thread when they are not.

A keyed read takes SQLite 6 microseconds, a hop to a thread and back 50 to 100: so each read first runs on the event
loop's own thread, under a budget. What overruns the budget or meets a lock runs again on a thread. In WAL mode a reader
meets a lock only while a crashed process's log is recovered; in a memory database, while a change is being made.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any, NamedTuple

from colonnade.database.driver import Statement
from colonnade.database.sqlite.connection import Connect, is_busy, is_interrupted
from colonnade.database.sqlite.pace import Budget, Pace
from colonnade.database.sqlite.threads import Rows, ThreadedReads

_LONG_HERE = 0.002  # seconds on the loop's thread that are long for a statement which no budget stopped


class _Here(NamedTuple):
    """The connection of the event loop's thread."""

    connection: sqlite3.Connection
    budget: Budget


class Reader:
    """Runs reads, each in its own transaction, which has ended when the rows are handed over.

    Args:
        connect: opens a connection; called on a thread.
        threads: where long reads go.
    """

    def __init__(self, connect: Connect, threads: ThreadedReads) -> None:
        self._connect = connect
        self._threads = threads
        self._pace = Pace()
        self._here: _Here | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def fetch(self, statement: Statement) -> Rows:
        """Run one read and give all its rows.

        Raises:
            RuntimeError: after `dispose`.
            sqlite3.OperationalError: on a thread too the database was locked, or the time was used up
                (`sqlite_errorcode` is SQLITE_BUSY or SQLITE_INTERRUPT).
            sqlite3.Error: anything else that SQLite refuses.
        """
        here = self._here or await self._open()
        rows = self._try_here(here, statement)
        return await self._on_thread(statement) if rows is None else rows

    async def stamp(self) -> object | None:
        """Give the data version, as this one connection sees it (https://www.sqlite.org/pragma.html#pragma_data_version).

        None while a lock is in the way.
        """
        here = self._here or await self._open()
        try:
            return here, here.connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            return None

    def state(self) -> dict[str, Any]:
        """Say whether its connection on the event loop's thread is open, and how many long reads run on threads."""
        return {"open": self._here is not None, "on_threads": self._threads.running}

    async def dispose(self) -> None:
        """Stop what is running and close the connections."""
        self._closed = True
        async with self._opening:
            here, self._here = self._here, None
        if here is not None:
            here.connection.close()
        await self._threads.dispose()

    def _try_here(self, here: _Here, statement: Statement) -> Rows | None:
        """Run the read where it stands; None when it belongs on a thread."""
        sql, arguments = statement
        began = time.monotonic()
        here.budget.shorten()
        try:
            until = self._pace.until(sql)
            if until is None:
                until = self._examine(here, statement)
            if until > began:
                return None
            # fetchall runs to the end, which ends the read transaction; an open one keeps the log from being reset.
            rows = here.connection.execute(sql, arguments).fetchall()
        except sqlite3.OperationalError as error:
            if is_busy(error):
                return None
            if not is_interrupted(error):
                raise
            self._pace.overran(sql)
            return None
        if time.monotonic() - began > _LONG_HERE:
            self._pace.long_here(sql)
        elif until < 0.0:
            self._pace.short(sql)
        return rows

    def _examine(self, here: _Here, statement: Statement) -> float:
        """Look once at a new text's plan for what no budget can stop: `count(*)` of a whole table is a single step.

        Such a text runs on a thread first, and here only once it was quick there.
        """
        sql, arguments = statement
        plan = here.connection.execute(f"EXPLAIN {sql}", arguments).fetchall()
        if any(step[1] == "Count" for step in plan):
            return self._pace.unstoppable(sql)
        return self._pace.short(sql)

    async def _on_thread(self, statement: Statement) -> Rows:
        rows, cpu_seconds = await self._threads.fetch(statement)
        self._pace.ran_on_thread(statement.sql, cpu_seconds)
        return rows

    async def _open(self) -> _Here:
        """Open the connection on a thread: the first one to a file may have to wait for a lock."""
        async with self._opening:
            if self._closed:
                raise RuntimeError("the SQLite driver was disposed of")
            if self._here is None:
                connection = await asyncio.to_thread(self._open_read_only)
                self._here = _Here(connection, Budget(connection))
            return self._here

    def _open_read_only(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection
