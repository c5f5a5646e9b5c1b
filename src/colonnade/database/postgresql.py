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
from colonnade.database.driver import Follow, Outcome, Statement, UnsureError
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

    stamp_sql = "SELECT txid_current_snapshot()::text"

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.sync_engine
        self._prepares = engine.url.query.get("prepared_statement_cache_size") != "0"

    @property
    def _pool(self) -> LendingPool:
        # The engine's own of this moment: `dispose` gives it another one.
        return self._engine.pool  # type: ignore[return-value]  # pool_options chose it

    async def fetch(self, statement: Statement) -> Rows:
        """Run one read in autocommit."""
        lent = self._pool.take() or await self._borrow()
        try:
            rows = await self._execute(lent, statement)
        except BaseException as error:
            self._give_back(lent, error)
            raise
        self._give_back(lent)
        return rows

    async def commit(self, statements: Sequence[Statement], follow: Follow | None = None) -> list[Outcome]:
        """Run statements in one transaction; a single one that nothing follows from is its own."""
        lent = self._pool.take() or await self._borrow()
        try:
            if len(statements) == 1 and follow is None:
                outcomes = [_outcome(await self._execute_alone(lent, statements[0]))]
            else:
                outcomes = await self._execute_together(lent, statements, follow)
        except BaseException as error:
            self._give_back(lent, error)
            raise
        self._give_back(lent)
        return outcomes

    async def stamp(self) -> object:
        """Give the snapshot: two that are equal see the same rows, since every transaction that writes is in it."""
        return (await self.fetch(Statement(self.stamp_sql, ())))[0][0]

    async def estimate(self, statement: Statement) -> int:
        """Ask the planner, which knows the table's size and the statistics of its columns."""
        rows = await self.fetch(Statement(f"EXPLAIN (FORMAT JSON) {statement.sql}", statement.arguments))
        plan = rows[0][0]
        document: Any = json.loads(plan) if isinstance(plan, str) else plan
        return int(document[0]["Plan"]["Plan Rows"])

    async def dispose(self) -> None:
        """Nothing is held between statements."""

    async def _execute_alone(self, lent: Lent, statement: Statement) -> Rows:
        if self._prepares and statement.sql not in lent.info.get("prepared", ()):
            # A connection that turns out to be dead here has stored nothing.
            await self._prepare(lent.driver_connection, lent.info.setdefault("prepared", {}), statement.sql)
        try:
            return await self._execute(lent, statement)
        except Exception as error:
            if is_silent(error):
                raise UnsureError from error
            raise

    async def _execute_together(
        self, lent: Lent, statements: Sequence[Statement], follow: Follow | None
    ) -> list[Outcome]:
        connection: Any = lent.driver_connection
        transaction = connection.transaction()
        await transaction.start()
        try:
            outcomes = [_outcome(await self._execute(lent, statement)) for statement in statements]
            for statement in () if follow is None else follow(outcomes):
                outcomes.append(_outcome(await self._execute(lent, statement)))
        except Exception as error:
            if not is_lost(error):
                await transaction.rollback()
            raise
        try:
            await transaction.commit()
        except Exception as error:
            if is_silent(error):
                raise UnsureError from error
            raise
        return outcomes

    async def _execute(self, lent: Lent, statement: Statement) -> Rows:
        connection: Any
        if not self._prepares:
            connection = lent.driver_connection
            return await connection.fetch(statement.sql, *statement.arguments)  # type: ignore[no-any-return]
        prepared: dict[str, Any] = lent.info.setdefault("prepared", {})
        ready = prepared.get(statement.sql) or await self._prepare(lent.driver_connection, prepared, statement.sql)
        try:
            return await ready.fetch(*statement.arguments)  # type: ignore[no-any-return]
        except (asyncpg.InvalidCachedStatementError, asyncpg.InvalidSQLStatementNameError):
            connection = lent.driver_connection
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
        """Wait for a connection, or open one: none is idle."""
        pool = self._pool
        lent = await pool.wait()
        return await greenlet_spawn(pool.connect) if lent is None else lent

    def _give_back(self, lent: Lent, error: BaseException | None = None) -> None:
        """Return a connection; one whose statement may still be running, or that is dead, is thrown away."""
        if error is not None and (isinstance(error, asyncio.CancelledError | UnsureError) or is_lost(error)):
            lent.invalidate(error)
            if is_lost(error):
                self._pool.distrust()
        if isinstance(lent, PoolProxiedConnection):
            lent.close()
        else:
            self._pool.put_back(lent)


def _outcome(rows: Rows) -> Outcome:
    return Outcome(rows, len(rows))


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection itself failed; asyncpg's complaints about arguments are `ValueError`s as well."""
    if isinstance(error, _LOST):
        return not isinstance(error, ValueError)
    # psycopg, which only sync sessions need, says so by an error without a SQLSTATE.
    return getattr(error, "sqlstate", "") is None and any(_is_psycopg(kind) for kind in type(error).__mro__)


def _is_psycopg(kind: type) -> bool:
    return (kind.__module__, kind.__name__) == ("psycopg", "OperationalError")


def is_silent(error: BaseException) -> bool:
    """Tell whether the connection was lost without a word of the server on what became of the statement."""
    return is_lost(error) and not isinstance(error, asyncpg.AdminShutdownError | asyncpg.CannotConnectNowError)


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
        return _by_state(error, _CAUSES[state])
    if isinstance(error, asyncpg.DataError | ValueError):
        return Diagnosis(Cause.MISFIT)
    if is_silent(error):
        return Diagnosis(Cause.LOST)
    if is_lost(error) or (isinstance(state, str) and state[:2] in {"08", "57", "53"}):
        return Diagnosis(Cause.AWAY)
    return None


def _by_state(error: BaseException, cause: Cause) -> Diagnosis:
    details = getattr(error, "diag", error)
    column = getattr(details, "column_name", None)
    if cause is Cause.REFERENCE and "still referenced" in (getattr(error, "detail", None) or ""):
        cause = Cause.STILL_REFERENCED
    return Diagnosis(cause, getattr(details, "constraint_name", None), (column,) if column else ())
