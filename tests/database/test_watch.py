"""What can be seen of a database at work: its statements, its pool, and the limits that its sessions run under."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import sqlalchemy as sa

from colonnade import Database, PoolSettings, Settings
from colonnade.database.driver import Statement
from tests.observed import Lamp, observed

pytestmark = pytest.mark.anyio

SELECT = Statement("SELECT 41 + 1", ())


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What SQLAlchemy's loggers say; SQLAlchemy gives some of them a handler of their own, taken away again."""
    names = ("sqlalchemy.engine.Engine", "sqlalchemy.pool.LendingPool")
    handlers = {name: list(logging.getLogger(name).handlers) for name in names}
    yield caplog
    for name, kept in handlers.items():
        logging.getLogger(name).handlers[:] = kept


async def _run_both_ways(database: Database) -> None:
    await database.fetch(Statement("SELECT ?", ("hunter22",)))
    async with database.session(read_only=True) as session:
        await session.execute(sa.text("SELECT :value"), {"value": "hunter23"})
    await database.dispose()


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(("env", "shown"), [("development", True), ("staging", False)])
async def test_statements_are_logged_by_a_switch(said: pytest.LogCaptureFixture, env: str, shown: bool) -> None:
    """S55, S40: SQL_ECHO logs the statements of both ways, and their values in development only."""
    given = {"env": env, "database_url": "sqlite://", "secret_key": "k" * 32}
    settings = Settings(_env_file=None, sql_echo=True, **given)  # type: ignore[arg-type, call-arg]
    await _run_both_ways(Database.from_settings(settings))
    told = "\n".join(record.getMessage() for record in said.records)
    assert "SELECT ?" in told
    assert ("hunter22" in told, "hunter23" in told) == (shown, shown)


@pytest.mark.databases("sqlite-memory")
async def test_statements_are_logged_by_configuration(caplog: pytest.LogCaptureFixture) -> None:
    """S55: the level INFO of the logger `sqlalchemy.engine` shows the statements of both ways, without a switch."""
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        await _run_both_ways(Database("sqlite://"))
    told = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("SELECT") for text in told) == 2


@pytest.mark.databases("postgresql")
async def test_the_pool_is_logged_by_a_switch(said: pytest.LogCaptureFixture, database_url: str) -> None:
    """S40: POOL_ECHO logs what happens to connections."""
    database = Database(database_url, pool=PoolSettings(echo=True))
    await database.ping()
    await database.dispose()
    assert [record for record in said.records if record.name.startswith("sqlalchemy.pool")]


async def test_every_statement_is_counted(database_url: str) -> None:
    """S57: statements of the compiled way, of sessions and of sync sessions are counted, those that fail too."""
    database = Database(database_url)
    await database.fetch(SELECT)
    async with database.session(read_only=True) as session:
        await session.execute(sa.text("SELECT 1"))
        with pytest.raises(Exception, match="nowhere"):
            await session.execute(sa.text("SELECT * FROM nowhere"))
    await database.dispose()
    assert database.watch.durations.count == 3


@pytest.mark.databases("postgresql")
async def test_what_totals_ask_beside_is_counted(database_url: str) -> None:
    """S57: asking whether anything was committed since, and the planner's estimate, are statements like others."""
    database, texts = Database(database_url), list[str]()
    database.watch.listeners.append(lambda sql, *_: texts.append(sql))
    await database.stamp()
    await database.estimate(SELECT)
    await database.dispose()
    assert texts == ["SELECT txid_current_snapshot()::text", "EXPLAIN SELECT 41 + 1"]


@pytest.mark.databases("postgresql")
async def test_no_session_waits_for_ever_on_postgresql(database_url: str) -> None:
    """Statements, waits for locks and idle transactions are bounded on every way to the database."""
    wanted = {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}
    database = Database(database_url)
    compiled = {name: (await database.fetch(Statement(f"SHOW {name}", ())))[0][0] for name in wanted}
    async with database.session() as session:
        orm = {name: (await session.execute(sa.text(f"SHOW {name}"))).scalar_one() for name in wanted}
    with database.sync_sessions() as sync:
        synchronous = {name: sync.execute(sa.text(f"SHOW {name}")).scalar_one() for name in wanted}
    await database.dispose()
    assert compiled == orm == synchronous == wanted


@pytest.mark.databases("mariadb")
async def test_no_session_waits_for_ever_on_mariadb(database_url: str) -> None:
    """Statements and waits for locks are bounded."""
    database = Database(database_url)
    rows = await database.fetch(Statement("SELECT @@max_statement_time, @@innodb_lock_wait_timeout", ()))
    await database.dispose()
    assert [tuple(map(float, row)) for row in rows] == [(5.0, 2.0)]


@pytest.fixture
async def full(database_url: str) -> AsyncIterator[tuple[Database, httpx.AsyncClient]]:
    """An application whose only connection is lent."""
    async with observed(database_url, pool_size=1, pool_timeout=0.3) as (app, client):
        database: Database = app.state.database
        async with database.session() as session:
            await session.execute(sa.select(Lamp.id))
            yield database, client


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_full_pool_is_told(full: tuple[Database, httpx.AsyncClient]) -> None:
    """S57: without a connection within POOL_TIMEOUT a request gets 503 with Retry-After, which is counted."""
    database, client = full
    refused = await client.get("/api/v1/lamps/1")
    assert (refused.status_code, refused.json()["code"]) == (503, "CLN511")
    assert int(refused.headers["retry-after"]) >= 1
    assert database.pool_events.timeout == 1
