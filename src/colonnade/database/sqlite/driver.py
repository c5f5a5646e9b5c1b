"""The driver of the compiled way for SQLite: a reader and a writer on connections of their own."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy import URL

from colonnade.database.driver import Follow, Outcome, Statement
from colonnade.database.sqlite.connection import LOCK_TIMEOUT, Connect, connector
from colonnade.database.sqlite.reader import Reader
from colonnade.database.sqlite.threads import Rows, ThreadedReads
from colonnade.database.sqlite.writer import Writer


class SQLiteDriver:
    """Runs statements on SQLite; costs nothing until its first use, and belongs to that use's event loop.

    A memory database lives as long as one connection to it: keep one of the engine's open, or use the driver first.

    Args:
        target: of the database; see `connector`.
        lock_timeout: seconds that a change waits for another process's lock, or for a session that holds `exclusive`.
        busy_timeout: seconds that a read waits for a lock; on a thread.
        time_limit: seconds after which a statement is stopped.
    """

    stamp_sql: str | None = None  # a PRAGMA, answered in this process

    def __init__(
        self,
        target: str | os.PathLike[str] | URL | Connect,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        busy_timeout: float = 2.0,
        time_limit: float = 5.0,
    ) -> None:
        connect = connector(target)
        self._reader = Reader(connect, ThreadedReads(connect, busy_timeout=busy_timeout, time_limit=time_limit))
        self._writer = Writer(connect, lock_timeout=lock_timeout, time_limit=time_limit)

    def fetch(self, statement: Statement) -> Coroutine[Any, Any, Rows]:
        """Run one read in its own transaction and give all its rows.

        Args:
            statement: one SELECT; the connection refuses to write.

        Returns:
            The rows as `sqlite3` gives them: tuples.

        Raises:
            RuntimeError: after `dispose`.
            sqlite3.Error: SQLite's own; SQLITE_BUSY and SQLITE_INTERRUPT (in `sqlite_errorcode`) only after the busy
                timeout and the time limit on a thread.
        """
        return self._reader.fetch(statement)

    def commit(
        self, statements: Sequence[Statement], follow: Follow | None = None
    ) -> Coroutine[Any, Any, list[Outcome]]:
        """Run statements in one transaction; return after the durable commit.

        Changes that wait at the same moment share a transaction, each in its own savepoint. A caller that is cancelled
        may find its change stored all the same.

        Args:
            statements: in their order; one that returns rows is run to its end.
            follow: gives further ones from what those gave.

        Returns:
            One outcome per statement, those that followed included.

        Raises:
            RuntimeError: after `dispose`, or inside this task's own `exclusive`.
            sqlite3.Error: SQLite's own; nothing of this call is stored.
        """
        return self._writer.commit(statements, follow)

    def stamp(self) -> Coroutine[Any, Any, object | None]:
        """Give a value that stays equal for as long as no connection commits anything."""
        return self._reader.stamp()

    async def estimate(self, statement: Statement) -> None:
        """SQLite estimates nothing that could be asked for."""

    def state(self) -> list[dict[str, Any]]:
        """Say what the writer and the readers are doing just now."""
        return [{"role": "writer", **self._writer.state()}, {"role": "reader", **self._reader.state()}]

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Keep the writer out while a session of this process writes; enter before BEGIN IMMEDIATE, leave after COMMIT.

        First come, first served, the writer's batches included.

        Raises:
            sqlite3.OperationalError: SQLITE_BUSY, here and in `commit`: the wait was longer than `lock_timeout`.
        """
        return self._writer.exclusive()

    async def dispose(self) -> None:
        """Store what waits, stop what is read, close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()
