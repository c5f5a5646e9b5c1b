"""Who is connected to the database just now, and what each is doing (S58)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from colonnade.database.database import Database

_POSTGRESQL = """
SELECT pid, usename AS account, application_name AS application, host(client_addr) AS address, state,
       wait_event_type AS waits_for, extract(epoch FROM now() - backend_start)::float8 AS connected_seconds,
       extract(epoch FROM now() - xact_start)::float8 AS transaction_seconds,
       extract(epoch FROM now() - state_change)::float8 AS state_seconds, left(query, 1000) AS statement
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' ORDER BY pid
"""
_MYSQL = """
SELECT ID AS pid, USER AS account, HOST AS address, COMMAND AS state, TIME AS state_seconds, STATE AS waits_for,
       LEFT(INFO, 1000) AS statement
FROM information_schema.PROCESSLIST WHERE DB = DATABASE() ORDER BY ID
"""


async def active_connections(database: Database) -> list[dict[str, Any]]:
    """List the connections to a database, of all processes, this very question among them (one statement).

    Of accounts other than its own PostgreSQL shows no statement, unless the account may see everything
    (`pg_read_all_stats`). SQLite has no server that could be asked: there it is this process's writer and readers.

    Raises:
        ProblemError: CLN510 to CLN512.
    """
    if database.dialect.name == "sqlite":
        return database.driver_state()
    sql = _POSTGRESQL if database.dialect.name == "postgresql" else _MYSQL
    async with database.session(read_only=True) as session:
        return [dict(row) for row in (await session.execute(sa.text(sql))).mappings()]
