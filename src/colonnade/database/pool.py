"""The pool's figures, and a sign of life from connections that were idle for long."""

from __future__ import annotations

import math
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from colonnade.core.settings import PoolSettings
from colonnade.database.lending import LendingPool, PoolEvents

CONNECT_SECONDS = 2.0
"""A database that takes longer to accept a connection is away, as far as a request is concerned."""

GRACE_SECONDS = 0.25
"""So much longer than a statement may run this side waits: where even the server's refusal does not come, the network has
swallowed it."""

IDLE_SECONDS = 5.0
"""A connection that was used so lately is believed to live; a ping at every checkout costs a round trip each."""


def pool_options(url: sa.URL, pool: PoolSettings) -> dict[str, Any]:
    """Give the keyword arguments of `create_engine` for a URL."""
    backend = url.get_backend_name()
    echo = "debug" if pool.echo else False  # less than that says nothing of checkouts and checkins
    if backend == "sqlite":
        return {"echo_pool": echo}
    options: dict[str, Any] = {
        "pool_size": pool.size,
        "max_overflow": pool.max_overflow,
        "pool_timeout": pool.timeout,
        "pool_recycle": pool.recycle,
        "echo_pool": echo,
    }
    if url.drivername in {"postgresql+asyncpg", "mysql+asyncmy"}:
        options["poolclass"] = LendingPool
    limits = _postgresql_limits(pool) if backend == "postgresql" else {}
    if url.drivername == "postgresql+asyncpg":
        times: dict[str, Any] = {"timeout": CONNECT_SECONDS, "command_timeout": deadline_of(pool)}
        options["connect_args"] = {"server_settings": limits, **times}
    elif backend == "postgresql":
        session = " ".join(f"-c {name}={value}" for name, value in limits.items())
        options["connect_args"] = {"options": session, "connect_timeout": 5}
    else:
        options["connect_args"] = {"charset": "utf8mb4", "init_command": _mariadb_limits(pool), "connect_timeout": 5}
        if url.drivername == "mysql+pymysql":
            options["connect_args"]["read_timeout"] = math.ceil(deadline_of(pool))
    return options


def deadline_of(pool: PoolSettings) -> float:
    """Give the seconds after which this side gives a statement up."""
    return pool.statement_timeout + GRACE_SECONDS


def _postgresql_limits(pool: PoolSettings) -> dict[str, str]:
    """Give the settings of every session, in milliseconds where they are times: no request waits for ever."""
    return {
        "timezone": "UTC",
        "datestyle": "ISO",  # times are selected as text
        "statement_timeout": str(round(pool.statement_timeout * 1000)),
        "lock_timeout": str(round(pool.lock_timeout * 1000)),
        "idle_in_transaction_session_timeout": "10000",
        # A keyed read is done before the JIT compiler has warmed up.
        "jit": "off",
    }


def _mariadb_limits(pool: PoolSettings) -> str:
    """Give the statement that begins every session."""
    zone = "SET SESSION time_zone = '+00:00'"
    lock = f"innodb_lock_wait_timeout = {math.ceil(pool.lock_timeout)}"  # it knows whole seconds only
    # What stands in the comment is read by MariaDB alone; MySQL has no such variable.
    return f"{zone}, {lock} /*M!100100 , max_statement_time = {pool.statement_timeout:g} */"


def watch_pool(engine: sa.Engine, pool: PoolSettings, events: PoolEvents) -> None:
    """Count what happens to a pool (S57), and ping connections that were idle for long before they are lent (S40)."""
    _count_events(engine, events)
    if not pool.pre_ping or engine.dialect.name == "sqlite":
        return
    # The pool replaces a connection that turns out to be dead.
    dialect = engine.dialect

    @event.listens_for(engine, "checkin")
    def _remember(connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping(connection: Any, record: Any, proxy: Any) -> None:
        closed = getattr(getattr(connection, "driver_connection", None), "is_closed", None)
        if closed is not None and closed():
            raise DisconnectionError
        idle = time.monotonic() - record.info.get("idle_since", 0.0)
        if idle > IDLE_SECONDS and "idle_since" in record.info:
            try:
                dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error


def _count_events(engine: sa.Engine, events: PoolEvents) -> None:
    if isinstance(engine.pool, LendingPool):
        engine.pool.events = events
    for name in ("connect", "close", "checkout", "checkin"):

        def count(*_: Any, name: str = name) -> None:
            setattr(events, name, getattr(events, name) + 1)

        event.listen(engine, name, count)
