"""How a connection to SQLite is opened and set up, for the compiled way and for SQLAlchemy's own engines alike.

The journal is a write-ahead log, so that readers and the one writer never wait for each other; `synchronous=FULL` makes
a commit wait for the disk (https://www.sqlite.org/pragma.html#pragma_synchronous), so that what was answered is stored.
`mmap_size` and a larger `cache_size` were measured and gained nothing on keyed reads, so they are left alone.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine

Connect = Callable[[], sqlite3.Connection]

LOCK_TIMEOUT = 5.0
"""Seconds that a write waits for another process to let go of the database."""

NAP = (0.0002, 0.002)
"""Shortest and longest seconds between two looks whether a lock is gone."""

_STATEMENTS_KEPT = 512  # prepared statements per connection; the default of 128 is fewer than an application's shapes
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


def connector(target: str | os.PathLike[str] | URL | Connect) -> Connect:
    """Give the function that opens one more connection to a database.

    Args:
        target: SQLAlchemy's URL; the path of a file; an URI (`file:...`, https://www.sqlite.org/uri.html); or a
            function that opens a connection, which has to pass `check_same_thread=False`, since the writer's statements
            and its COMMIT run on different threads, one at a time.
    """
    if isinstance(target, URL):
        (path,), options = SQLiteDialect_pysqlite().create_connect_args(target)
        return partial(_prepared, partial(_open, path, is_uri=bool(options.get("uri"))))
    if callable(target):
        return partial(_prepared, target)
    path = os.fspath(target)
    return partial(_prepared, partial(_open, path, is_uri=path.startswith("file:")))


def configure(engine: Engine | AsyncEngine) -> None:
    """Make an engine's connections behave as the compiled way's: same settings, BEGIN under our own control.

    Python's `sqlite3` begins transactions at moments of its own choosing, which breaks SAVEPOINT and lets two readers
    deadlock as they turn into writers. Here every transaction starts as BEGIN IMMEDIATE, unless the connection has the
    execution option `read_only`: then as BEGIN, which takes no lock before it needs one.

    Args:
        engine: on sqlite3 or aiosqlite, before its first connection.
    """
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    event.listen(sync_engine, "connect", _on_connect)
    event.listen(sync_engine, "begin", _on_begin)


def is_busy(error: BaseException) -> bool:
    """Whether another connection's lock was in the way, so that the same statement may succeed later."""
    return _primary_code(error) in _BUSY


def is_interrupted(error: BaseException) -> bool:
    """Whether the statement was stopped by its budget or its time limit."""
    return _primary_code(error) == sqlite3.SQLITE_INTERRUPT


def patiently(connection: sqlite3.Connection, sql: str, seconds: float) -> None:
    """Run a statement again and again while the database is busy; blocks, so never on the event loop's thread.

    Args:
        connection: with `busy_timeout` 0, so that SQLite itself does not wait.
        sql: BEGIN IMMEDIATE or COMMIT.
        seconds: how long to try.

    Raises:
        sqlite3.OperationalError: still busy at the end, or anything else that is wrong.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute(sql)
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > end:
                raise
        else:
            return
        time.sleep(random.uniform(*NAP))  # noqa: S311  (a nap, not a secret)


def _open(path: str, *, is_uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        path, uri=is_uri, isolation_level=None, cached_statements=_STATEMENTS_KEPT, check_same_thread=False
    )


def _prepared(open_connection: Connect) -> sqlite3.Connection:
    """Open and set up; what is left is a connection that waits for no lock by itself."""
    connection = open_connection()
    connection.isolation_level = None
    try:
        _settle(connection)
        # Two processes that turn a new file to WAL at the same moment refuse each other without any busy timeout.
        patiently(connection, "PRAGMA journal_mode = WAL", LOCK_TIMEOUT)
        connection.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def _settle(connection: sqlite3.Connection | DBAPIConnection) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {round(LOCK_TIMEOUT * 1000)}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()
    connection.create_function("unicode_lower", 1, _unicode_lower, deterministic=True)


def _unicode_lower(value: Any) -> Any:
    """Lower case over the whole of Unicode: SQLite's own `lower` leaves everything but ASCII as it is."""
    return value.lower() if isinstance(value, str) else value


def _on_connect(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None
    _settle(connection)
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # Another process is turning this file to WAL just now; the mode stays with the file, so nothing is left to do.
        if not is_busy(error):
            raise
    finally:
        cursor.close()


def _on_begin(connection: Connection) -> None:
    is_read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")


def _primary_code(error: BaseException) -> int:
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF if isinstance(code, int) else 0
