"""PostgreSQL by asyncpg: running statements on the pool's own connections, and reading its errors.

A change of one statement needs no BEGIN: PostgreSQL makes it a transaction of its own and has it on disk before it answers
(https://www.postgresql.org/docs/current/tutorial-transactions.html), which saves two round trips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection, QueuePool
from sqlalchemy.util import greenlet_spawn

from colonnade.database.diagnosis import Cause, Diagnosis
from colonnade.database.driver import Outcome, Statement

class _Connection(Protocol):
    async def fetch(self, query: str, *arguments: object) -> Sequence[Sequence[Any]]: ...


class PostgreSQLDriver:
    """Runs statements on connections that the engine's pool lends.

    Args:
        engine: of `postgresql+asyncpg`.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._pool = engine.sync_engine.pool

    async def fetch(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """Run one read in autocommit, and once more if the connection turned out to be dead."""
        try:
            return await self._run(statement)
        except Exception as error:
            if not is_lost(error):
                raise
        # The pool may hold connections from before a restart of the server; a read can be repeated safely.
        await greenlet_spawn(self._pool.dispose)
        return await self._run(statement)

    async def commit(self, statements: Sequence[Statement]) -> list[Outcome]:
        """Run statements in one transaction; a single one is its own."""
        if len(statements) == 1:
            rows = await self._run(statements[0])
            return [Outcome(rows, len(rows))]
        lent = await self._borrow()
        try:
            connection: Any = lent.driver_connection
            async with connection.transaction():
                found = [await connection.fetch(sql, *arguments) for sql, arguments in statements]
        except BaseException as error:
            self._give_back(lent, error)
            raise
        lent.close()
        return [Outcome(rows, len(rows)) for rows in found]

    async def dispose(self) -> None:
        """Nothing is held between statements."""

    async def _run(self, statement: Statement) -> Sequence[Sequence[Any]]:
        lent = await self._borrow()
        connection: _Connection = lent.driver_connection  # type: ignore[assignment]  # asyncpg's
        try:
            rows = await connection.fetch(statement.sql, *statement.arguments)
        except BaseException as error:
            self._give_back(lent, error)
            raise
        lent.close()
        return rows

    async def _borrow(self) -> PoolProxiedConnection:
        """Take a connection; without a greenlet when one is idle, which is three times as fast (6 against 17 us).

        The pool itself is plain Python; it needs SQLAlchemy's greenlet only where it has to wait or to connect.
        """
        if isinstance(self._pool, QueuePool) and self._pool.checkedin():
            try:
                return self._pool.connect()
            except MissingGreenlet:
                pass  # the idle connection was too old and has to be made anew
        return await greenlet_spawn(self._pool.connect)

    @staticmethod
    def _give_back(lent: PoolProxiedConnection, error: BaseException) -> None:
        """Return a connection after an error; one whose statement may still be running is thrown away."""
        if isinstance(error, asyncio.CancelledError) or is_lost(error):
            lent.invalidate()
        lent.close()


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection itself failed; asyncpg's complaints about arguments are `ValueError`s as well."""
    return isinstance(error, _LOST) and not isinstance(error, ValueError)


_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    ConnectionError,
    OSError,
)

_CAUSES = {
    "23505": Cause.UNIQUE,
    "23P01": Cause.UNIQUE,
    "23503": Cause.REFERENCE,
    "23514": Cause.CHECK,
    "23502": Cause.NOT_NULL,
    "22001": Cause.MISFIT,
    "22003": Cause.MISFIT,
    "22021": Cause.MISFIT,
    "40001": Cause.CONTENTION,
    "40P01": Cause.CONTENTION,
    "57014": Cause.TIMEOUT,
    "55P03": Cause.TIMEOUT,
    "53300": Cause.AWAY,
}
"""SQLSTATE -> cause (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


def diagnose(error: BaseException) -> Diagnosis | None:
    """Read an error of asyncpg or psycopg by its SQLSTATE; None for one that is nobody's but ours."""
    state = getattr(error, "sqlstate", None)
    if state in _CAUSES:
        details = getattr(error, "diag", error)
        column = getattr(details, "column_name", None)
        cause = _CAUSES[state]
        if cause is Cause.REFERENCE and "still referenced" in (getattr(error, "detail", None) or ""):
            cause = Cause.STILL_REFERENCED
        return Diagnosis(cause, getattr(details, "constraint_name", None), (column,) if column else ())
    if isinstance(error, asyncpg.DataError | ValueError):
        return Diagnosis(Cause.MISFIT)
    if is_lost(error) or (isinstance(state, str) and state[:2] in {"08", "57", "53"}):
        return Diagnosis(Cause.AWAY)
    return None
