"""Plain database URLs, given the driver that suits: `postgresql://` is asyncpg here and psycopg for sync callers."""

from __future__ import annotations

import itertools

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from colonnade.core.errors import DeclarationError

_DRIVERS = {
    "postgresql": ("postgresql+asyncpg", "postgresql+psycopg"),
    "postgres": ("postgresql+asyncpg", "postgresql+psycopg"),
    "mysql": ("mysql+asyncmy", "mysql+pymysql"),
    "mariadb": ("mariadb+asyncmy", "mariadb+pymysql"),
    "sqlite": ("sqlite+aiosqlite", "sqlite+pysqlite"),
}

_memory_names = itertools.count(1)


def driver_urls(url: str | URL) -> tuple[URL, URL]:
    """Give the URLs of the async and of the sync engine.

    Args:
        url: with or without a driver's name; `sqlite://` is a database in memory, private to this `Database`.

    Raises:
        DeclarationError: the URL can't be read or names a database that is not supported.
    """
    try:
        parsed = make_url(url)
        if parsed.port is not None and not 0 < parsed.port < 1 << 16:
            raise ArgumentError
    except (ArgumentError, ValueError):
        told = "write e.g. postgresql://user@host/name, or let Database.from_settings() take it from the settings"
        raise DeclarationError(f"DATABASE_URL can't be read; {told}") from None
    backend = parsed.get_backend_name()
    if backend not in _DRIVERS:
        known = ", ".join(sorted(_DRIVERS))
        raise DeclarationError(f"DATABASE_URL names the database '{backend}'; known are {known}")
    if backend == "sqlite":
        parsed = _shared_memory(parsed)
    asynchronous, synchronous = _DRIVERS[backend]
    return parsed.set(drivername=asynchronous), parsed.set(drivername=synchronous)


def is_memory(url: URL) -> bool:
    """Tell whether a SQLite URL is of a database in memory."""
    return url.database in {None, "", ":memory:"} or url.query.get("vfs") == "memdb"


def _shared_memory(url: URL) -> URL:
    """Make a database in memory one that all connections of this process share.

    SQLite's `memdb` file system does that with ordinary locks for names that begin with a slash
    (https://www.sqlite.org/src/file/src/memdb.c); `:memory:` would be another database on each connection.
    """
    if not is_memory(url) or url.query.get("vfs") == "memdb":
        return url
    name = f"file:/colonnade-{next(_memory_names)}"
    return url.set(database=name, query={"vfs": "memdb", "uri": "true"})
