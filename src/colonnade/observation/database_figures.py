"""A database's figures: its statements, its pool, and what happened to the pool's connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy.pool import QueuePool

from colonnade.core.measures import STATEMENT_SECONDS
from colonnade.database.database import Database
from colonnade.database.lending import LendingPool
from colonnade.observation.figures import Figure


def database_figures(database: Database) -> Iterator[Figure]:
    """Give the figures of a database, as this process uses it."""
    counted = Figure("database_statements", "counter", "Statements that were run.")
    counted.add(database.watch.durations.count)
    yield counted
    statements = Figure(
        "database_statement_duration_seconds",
        "histogram",
        "From handing a statement over to having its rows.",
        bounds=STATEMENT_SECONDS,
    )
    statements.add_histogram(database.watch.durations)
    yield statements
    events = Figure("database_pool_events", "counter", "What happened to the pool's connections (S57).", ("event",))
    for name, count in database.pool_events.shown().items():
        events.add(count, name)
    yield events
    pool = pool_state(database)
    connections = Figure("database_pool_connections", "gauge", "Open connections of the pool.", ("state",))
    connections.add(pool["idle"], "idle")
    connections.add(pool["busy"], "busy")
    yield connections
    waiting = Figure("database_pool_waiting", "gauge", "Callers that wait for a connection.")
    waiting.add(pool["waiting"])
    yield waiting
    limit = Figure("database_pool_limit", "gauge", "Connections that the pool opens at most.")
    limit.add(pool["limit"])
    yield limit


def pool_state(database: Database) -> Mapping[str, int]:
    """Give the state of the engine's pool: idle and busy connections, how many there may be, and how many callers wait.

    SQLite's compiled way has a reader and a writer of its own beside the pool.
    """
    pool = database.engine.sync_engine.pool
    found = {"idle": 0, "busy": 0, "limit": 0, "waiting": 0}
    if isinstance(pool, QueuePool):
        found |= {"idle": pool.checkedin(), "busy": pool.checkedout(), "limit": pool.size() + pool._max_overflow}
    if isinstance(pool, LendingPool):
        found["waiting"] = pool.waiting
    return found
