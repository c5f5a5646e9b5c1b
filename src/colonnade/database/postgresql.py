"""PostgreSQL by asyncpg: running statements on the pool's own connections, and reading its errors.

A change of one statement needs no BEGIN: PostgreSQL makes it a transaction of its own and has it on disk before it answers
(https://www.postgresql.org/docs/current/tutorial-transactions.html), which saves two round trips.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from colonnade.database.diagnosis import Cause, Diagnosis
from colonnade.database.driver import Outcome, Statement
from colonnade.database.lending import LendingPool

MAX_PREPARED = 500
"""Statements kept prepared on one connection; each costs the server some kilobytes."""

Rows = Sequence[Sequence[Any]]
Lent = ConnectionPoolEntry | PoolProxiedConnection


class PostgreSQLDriver:
    """Runs statements, prepared once per connection, on connections that the engine's pool lends.

    Args:
        engine: of `postgresql+asyncpg`. With `?prepared_statement_cache_size=0` in its URL nothing is prepared by name,
            as pgbouncer wants it in transaction mode.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        pool = engine.sync_engine.pool
        assert isinstance(pool, LendingPool)  # pool_options chose it
        self._pool = pool
        self._prepares = engine.url.query.get("prepared_statement_cache_size") != "0"

    async def fetch(self, statement: Statement) -> Rows:
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
                found = [await self._execute(lent, statement) for statement in statements]
        except BaseException as error:
            self._give_back(lent, error)
            raise
        self._give_back(lent)
        return [Outcome(rows, len(rows)) for rows in found]

    async def stamp(self) -> object:
        """Give the snapshot: two that are equal see the same rows, since every transaction that writes is in it."""
        return (await self.fetch(Statement("SELECT txid_current_snapshot()::text", ())))[0][0]

    async def estimate(self, statement: Statement) -> int:
        """Ask the planner, which knows the table's size and the statistics of its columns."""
        rows = await self.fetch(Statement(f"EXPLAIN (FORMAT JSON) {statement.sql}", statement.arguments))
        plan = rows[0][0]
        document: Any = json.loads(plan) if isinstance(plan, str) else plan
        return int(document[0]["Plan"]["Plan Rows"])

    async def dispose(self) -> None:
        """Nothing is held between statements."""

    async def _run(self, statement: Statement) -> Rows:
        lent = await self._borrow()
        try:
            rows = await self._execute(lent, statement)
        except BaseException as error:
            self._give_back(lent, error)
            raise
        self._give_back(lent)
        return rows

    async def _execute(self, lent: Lent, statement: Statement) -> Rows:
        connection: Any = lent.driver_connection
        if not self._prepares:
            return await connection.fetch(statement.sql, *statement.arguments)  # type: ignore[no-any-return]
        prepared: dict[str, Any] = lent.info.setdefault("prepared", {})
        ready = prepared.get(statement.sql) or await self._prepare(connection, prepared, statement.sql)
        try:
            return await ready.fetch(*statement.arguments)  # type: ignore[no-any-return]
        except (asyncpg.InvalidCachedStatementError, asyncpg.InvalidSQLStatementNameError):
            # A migration has changed the table under the statement; inside a transaction nothing can be repeated.
            prepared.clear()
            if connection.is_in_transaction():
                raise
        again = await self._prepare(connection, prepared, statement.sql)
        return await again.fetch(*statement.arguments)  # type: ignore[no-any-return]

    @staticmethod
    async def _prepare(connection: Any, prepared: dict[str, Any], sql: str) -> Any:
        if len(prepared) >= MAX_PREPARED:
            del prepared[next(iter(prepared))]
        ready = prepared[sql] = await connection.prepare(sql)
        return ready

    async def _borrow(self) -> Lent:
        idle = self._pool.take()
        return await greenlet_spawn(self._pool.connect) if idle is None else idle

    def _give_back(self, lent: Lent, error: BaseException | None = None) -> None:
        """Return a connection; one whose statement may still be running, or that is dead, is thrown away."""
        if error is not None and (isinstance(error, asyncio.CancelledError) or is_lost(error)):
            lent.invalidate(error)
        if isinstance(lent, PoolProxiedConnection):
            lent.close()
        else:
            self._pool.put_back(lent)


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection itself failed; asyncpg's complaints about arguments are `ValueError`s as well."""
    return isinstance(error, _LOST) and not isinstance(error, ValueError)


_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    # "another operation is in progress": the connection was cut while it was being used, and its state is lost.
    asyncpg.InternalClientError,
    ConnectionError,
    OSError,
)

_CAUSES = {
    "23505": Cause.UNIQUE,
    "23P01": Cause.UNIQUE,
    "23503": Cause.REFERENCE,
    "23001": Cause.STILL_REFERENCED,
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
