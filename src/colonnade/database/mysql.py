"""MariaDB and MySQL by asyncmy: running statements on the pool's own connections, and reading its errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from asyncmy.connection import Connection
from asyncmy.errors import OperationalError
from sqlalchemy import event
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from colonnade.database.diagnosis import Cause, Diagnosis
from colonnade.database.driver import Follow, Outcome, Statement, UnsureError
from colonnade.database.pool import CONNECT_SECONDS


class BinaryTables(MySQLDDLCompiler):
    """Creates tables whose text is compared by code point, spaces at its end and all, as on the other databases.

    The usual collations take "a" for "A" and "a" for "a ": unique values, filters, sorts and cursors would mean something
    else here than on PostgreSQL and SQLite. What a table or a column says of its own character set or collation holds.
    """

    def post_create_table(self, table: sa.Table) -> str:
        """Write the table's options, the collation first."""
        options = super().post_create_table(table)
        if any(name.upper().endswith(("_COLLATE", "_CHARSET", "_CHARACTER_SET")) for name in table.kwargs):
            return options
        # MySQL's own collation without padding; MariaDB's is another by another name.
        name = "utf8mb4_nopad_bin" if self.dialect.is_mariadb else "utf8mb4_0900_bin"
        return f" COLLATE {name} {options}".rstrip()


class PunctualConnection(Connection):
    """Is closed when the server has not answered a statement in time, whatever the network does with both of them.

    asyncmy's own `read_timeout` makes a task of each read: 50 microseconds of a keyed read's 300; a timer takes one or two.

    Attributes:
        deadline: seconds.
    """

    deadline: float
    _loop: asyncio.AbstractEventLoop
    _transport: asyncio.Transport
    _connected: bool

    async def query(self, sql: Any, unbuffered: bool = False) -> Any:
        """Run a statement and read its whole answer."""
        return await self._in_time(super().query(sql, unbuffered))  # type: ignore[no-untyped-call]

    async def commit(self) -> Any:
        """Commit."""
        return await self._in_time(super().commit())

    async def rollback(self) -> Any:
        """Roll back."""
        return await self._in_time(super().rollback())

    async def ping(self, reconnect: bool = True) -> Any:
        """Ask for a sign of life."""
        return await self._in_time(super().ping(reconnect))

    async def _in_time(self, work: Awaitable[Any]) -> Any:
        # Without its transport the read ends as that of any lost connection.
        timer = self._loop.call_later(self.deadline, self._transport.abort) if self._connected else None
        try:
            return await work
        finally:
            if timer is not None:
                timer.cancel()


async def _connect(deadline: float, **options: Any) -> PunctualConnection:
    connection = PunctualConnection(**options)  # type: ignore[no-untyped-call]
    connection.deadline = deadline
    # asyncmy bounds the way to the socket, and not the greeting behind it.
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.connect()
    except TimeoutError as error:
        raise OperationalError(_NO_CONNECTION, "the server does not answer") from error
    return connection


def configure(engine: AsyncEngine, deadline: float) -> None:
    """Have an engine create its tables so, by `create_all` as by migrations, and connect so.

    Args:
        engine: of `mysql+asyncmy`.
        deadline: seconds after which a statement without an answer is given up, and its connection with it.
    """
    engine.dialect.ddl_compiler = BinaryTables

    @event.listens_for(engine.sync_engine, "do_connect")
    def _choose(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        options["async_creator_fn"] = partial(_connect, deadline)

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # With autocommit off the first statement opens a transaction that may write.
        if connection.get_execution_options().get("read_only", False):
            connection.exec_driver_sql("START TRANSACTION READ ONLY")


class MySQLDriver:
    """Runs statements on connections that the engine's pool lends.

    Args:
        engine: of `mysql+asyncmy`.
    """

    stamp_sql: str | None = None

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.sync_engine

    async def fetch(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """Run one read; the snapshot that it opened is closed again by the pool's rollback."""
        async with self._lent() as connection:
            return (await self._run(connection, [statement]))[0].rows

    async def commit(self, statements: Sequence[Statement], follow: Follow | None = None) -> list[Outcome]:
        """Run statements in one transaction; autocommit is off, so the first one opens it."""
        async with self._lent() as connection:
            outcomes = await self._run(connection, statements)
            if follow is not None:
                outcomes += await self._run(connection, follow(outcomes))
            await self._commit(connection)
        return outcomes

    async def stamp(self) -> None:
        """MariaDB has no cheap sign of a commit: its counters tell of rows when they are written, not when they show."""

    async def estimate(self, statement: Statement) -> None:
        """MariaDB's guesses are off by half of the rows and more."""

    async def dispose(self) -> None:
        """Nothing is held between statements."""

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Any]:
        lent: PoolProxiedConnection = await greenlet_spawn(self._engine.pool.connect)
        try:
            yield lent.driver_connection
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(error, UnsureError) or _is_lost(error):
                lent.invalidate()
            raise
        finally:
            await greenlet_spawn(lent.close)

    async def _run(self, connection: Any, statements: Sequence[Statement]) -> list[Outcome]:
        async with connection.cursor() as cursor:
            return [await self._execute(cursor, statement) for statement in statements]

    @staticmethod
    async def _commit(connection: Any) -> None:
        try:
            await connection.commit()
        except Exception as error:
            if _is_silent(error):
                raise UnsureError from error
            raise

    @staticmethod
    async def _execute(cursor: Any, statement: Statement) -> Outcome:
        affected = await cursor.execute(statement.sql, statement.arguments)
        rows = await cursor.fetchall() if cursor.description else ()
        return Outcome(rows, affected)


_CAUSES = {
    1062: Cause.UNIQUE,
    1452: Cause.REFERENCE_MISSING,
    1216: Cause.REFERENCE_MISSING,
    1451: Cause.STILL_REFERENCED,
    1217: Cause.STILL_REFERENCED,
    4025: Cause.CHECK,
    3819: Cause.CHECK,
    1048: Cause.NOT_NULL,
    1364: Cause.NOT_NULL,
    1264: Cause.MISFIT,
    1292: Cause.MISFIT,  # a UUID of no known version, too
    1366: Cause.MISFIT,
    1406: Cause.MISFIT,
    1020: Cause.CONTENTION,
    1213: Cause.CONTENTION,
    1205: Cause.TIMEOUT,
    1969: Cause.TIMEOUT,
    3024: Cause.TIMEOUT,
}
"""Server error number -> cause (https://mariadb.com/kb/en/mariadb-error-code-reference/)."""

_NO_CONNECTION = 2003
_AWAY = frozenset({_NO_CONNECTION, 1040, 1053, 1927})
_SILENT = frozenset({2006, 2013, 2014, 2055})
"""The client's own numbers of a connection that ended without a word of the server."""

_CONSTRAINT = {
    Cause.UNIQUE: re.compile(r"for key '(?:[^'.]*\.)?([^']+)'"),
    Cause.REFERENCE_MISSING: re.compile(r"CONSTRAINT `([^`]+)`"),
    Cause.CHECK: re.compile(r"CONSTRAINT `(?:[^`.]*`\.`)?([^`]+)`|constraint '([^']+)'"),
}
_COLUMN = re.compile(r"(?:Column|Field) '([^']+)'")


def diagnose(error: BaseException) -> Diagnosis | None:
    """Read an error of asyncmy or PyMySQL by its number; the constraint's name stands only in the text."""
    code = _code(error)
    if _is_lost(error):
        return Diagnosis(Cause.LOST if _is_silent(error) else Cause.AWAY)
    cause = _CAUSES.get(code)
    if cause is None:
        return None
    text = str(error.args[1]) if len(error.args) > 1 else ""
    if cause is Cause.NOT_NULL and (column := _COLUMN.search(text)):
        return Diagnosis(cause, columns=(column[1],))
    return Diagnosis(cause, _constraint(cause, text))


def _constraint(cause: Cause, text: str) -> str | None:
    pattern = _CONSTRAINT.get(cause)
    found = pattern.search(text) if pattern else None
    return found[found.lastindex or 0] if found else None


def _is_silent(error: BaseException) -> bool:
    return _code(error) in _SILENT or isinstance(error, OSError)


def _is_lost(error: BaseException) -> bool:
    return _is_silent(error) or _code(error) in _AWAY


def _code(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
