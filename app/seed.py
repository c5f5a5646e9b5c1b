"""Filling an empty database with demo data: `colonnade seed [rows]`, and `make run` the first time."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import settings
from app.demo_data import demo_data
from colonnade import Base, Database, hash_password

DEMO_PASSWORD = "demo-password-1"  # noqa: S105  - for development, and told to everybody who asks for demo data


async def seed(database: Database, rows: int, advance: Callable[[int], None] = lambda _: None) -> int:
    """Fill a database, unless one of its tables has rows; all in one transaction, so that it is filled or empty.

    Args:
        database: with its tables made.
        rows: how many in all.
        advance: told the number of rows after each batch.

    Returns:
        How many were stored: `rows`, or 0 when the database was not empty.
    """
    # Production gets a password that nobody knows beforehand. One hash serves all: each takes 25 ms.
    password = secrets.token_urlsafe(12) + "-1a" if settings.env == "production" else DEMO_PASSWORD
    async with _alone(database), database.engine.begin() as connection:
        if rows < 1 or not await _is_empty(connection):
            return 0
        hashed = await hash_password(password)
        last: dict[sa.Table, int] = {}
        for model, batch in demo_data(rows, hashed):
            table: sa.Table = model.__table__  # type: ignore[assignment]  # every model here is of one table
            await _store(connection, table, batch)
            last[table] = batch[-1]["id"]
            advance(len(batch))
        await _go_on_after(connection, last)
    print(f"Sign in at /docs as demo@example.com, an administrator; all demo users have the password {password}")  # noqa: T201
    return rows


_LOCKS = {
    # As long as it takes: the limits on waiting are for requests.
    "postgresql": ("SET LOCAL lock_timeout = 0", "SET LOCAL statement_timeout = 0", "SELECT pg_advisory_lock(1843)"),
    "mysql": ("SELECT GET_LOCK('demo data', 3600)",),
    "mariadb": ("SELECT GET_LOCK('demo data', 3600)",),
}
_UNLOCKS = {
    "postgresql": "SELECT pg_advisory_unlock(1843)",
    "mysql": "SELECT RELEASE_LOCK('demo data')",
    "mariadb": "SELECT RELEASE_LOCK('demo data')",
}


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Wait until nobody else fills the database: two would both find it empty. SQLite lets one at a time write anyhow."""
    name = database.dialect.name
    if name not in _LOCKS:
        yield
        return
    async with database.engine.connect() as guard:
        for statement in _LOCKS[name]:
            await guard.execute(sa.text(statement))
        await guard.commit()  # the lock is the connection's; a transaction that idles would be ended
        try:
            yield
        finally:
            await guard.execute(sa.text(_UNLOCKS[name]))


async def _is_empty(connection: AsyncConnection) -> bool:
    # The tables of this application's models: the library fills its own, the cache's say, when the application starts.
    models = [mapper.class_ for mapper in Base.registry.mappers]
    tables = [model.__table__ for model in models if model.__module__.startswith("app.")]
    found = [await connection.scalar(sa.select(sa.exists(table.select()))) for table in tables]
    return not any(found)


async def _store(connection: AsyncConnection, table: sa.Table, batch: list[dict[str, Any]]) -> None:
    if connection.dialect.driver != "asyncpg":
        await connection.execute(sa.insert(table), batch)
        return
    # COPY takes a third of the time; it runs inside the transaction that the first SELECT opened.
    driver: Any = (await connection.get_raw_connection()).driver_connection
    records = [tuple(row.values()) for row in batch]
    await driver.copy_records_to_table(table.name, columns=list(batch[0]), records=records)


async def _go_on_after(connection: AsyncConnection, last: dict[sa.Table, int]) -> None:
    """Have PostgreSQL's sequences go on after the ids that were given; the other databases see for themselves."""
    if connection.dialect.name != "postgresql":
        return
    for table, id in last.items():
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        await connection.execute(sa.select(sa.func.setval(sequence, id)))
