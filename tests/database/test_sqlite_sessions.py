"""SQLAlchemy's own sessions on SQLite, beside the compiled way."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from colonnade.database.driver import Statement
from colonnade.database.sqlite import SQLiteDriver, configure

pytestmark = pytest.mark.anyio

INSERT = Statement("INSERT INTO t VALUES (?)", (1,))


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[SQLiteDriver]:
    """A driver on a file with one table."""
    driver = SQLiteDriver(tmp_path / "t.db")
    await driver.commit([Statement("CREATE TABLE t (x)", ())])
    yield driver
    await driver.dispose()


@pytest.fixture
async def engine(driver: SQLiteDriver, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An engine on the same file."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 't.db'}")
    configure(engine)
    yield engine
    await engine.dispose()


async def test_sessions_and_connections_are_set_up_alike(engine: AsyncEngine) -> None:
    """An engine's connection has the log, the durability and the foreign keys of the compiled way."""
    async with engine.connect() as connection:
        pragmas = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
        assert await connection.scalar(text("SELECT unicode_lower('ÄB')")) == "äb"


async def test_a_sync_engine_is_set_up_too(tmp_path: Path) -> None:
    """`configure` takes a sync engine as well, and rolls back what was not committed."""
    engine = create_engine(f"sqlite:///{tmp_path / 'sync.db'}", poolclass=NullPool)
    configure(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM t")) == 0
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    engine.dispose()


async def test_a_savepoint_is_rolled_back_by_itself(engine: AsyncEngine) -> None:
    """A nested transaction of the session undoes its own statements and no others."""
    async with AsyncSession(engine) as session:
        await session.execute(text("INSERT INTO t VALUES (1)"))
        nested = await session.begin_nested()
        await session.execute(text("INSERT INTO t VALUES (2)"))
        await nested.rollback()
        await session.commit()
        assert (await session.scalars(text("SELECT x FROM t"))).all() == [1]


async def test_a_transaction_takes_the_write_lock_at_once(engine: AsyncEngine, tmp_path: Path) -> None:
    """A session begins immediately, so that it can't find out at its first write that it read old rows."""
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None, timeout=0)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.close()


async def test_a_read_only_transaction_takes_no_lock(engine: AsyncEngine, tmp_path: Path) -> None:
    """With the execution option `read_only` a session leaves the write lock to others."""
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None, timeout=0)
    async with engine.execution_options(read_only=True).connect() as connection:
        await connection.execute(text("SELECT x FROM t"))
        other.execute("INSERT INTO t VALUES (1)")
    other.close()


async def test_the_writer_stays_out_while_a_session_holds_the_gate(driver: SQLiteDriver, engine: AsyncEngine) -> None:
    """Inside `exclusive` a session never waits for the writer, and the writer's change comes after it."""
    async with driver.exclusive():
        writing = asyncio.ensure_future(driver.commit([INSERT]))
        async with AsyncSession(engine) as session:
            for _ in range(20):
                await session.execute(text("INSERT INTO t VALUES (0)"))
                await asyncio.sleep(0.001)
            assert not writing.done()
            await session.commit()
    await writing
    rows = await driver.fetch(Statement("SELECT x FROM t ORDER BY rowid", ()))
    assert rows == [(0,)] * 20 + [(1,)]


async def test_neither_sessions_nor_the_writer_starve(driver: SQLiteDriver, engine: AsyncEngine) -> None:
    """Under constant writing on both ways, both get on."""
    done = {"session": 0, "commit": 0}
    end = asyncio.get_running_loop().time() + 0.5

    async def by_session() -> None:
        while asyncio.get_running_loop().time() < end:
            async with driver.exclusive(), AsyncSession(engine) as session:
                await session.execute(text("INSERT INTO t VALUES (0)"))
                await session.commit()
            done["session"] += 1

    async def by_commit() -> None:
        while asyncio.get_running_loop().time() < end:
            await driver.commit([INSERT])
            done["commit"] += 1

    await asyncio.gather(*(by_session() for _ in range(3)), *(by_commit() for _ in range(10)))
    assert min(done.values()) > 5
    rows = await driver.fetch(Statement("SELECT count(*) FROM t", ()))
    assert rows == [(sum(done.values()),)]


async def test_a_commit_inside_the_gate_is_refused_at_once(driver: SQLiteDriver) -> None:
    """A change on the compiled way inside the task's own gate would wait for itself."""
    async with driver.exclusive():
        with pytest.raises(RuntimeError, match="itself"):
            await driver.commit([INSERT])
    await driver.commit([INSERT])


async def test_a_gate_that_is_held_too_long_is_an_error(tmp_path: Path) -> None:
    """A change does not wait for a session for longer than the lock timeout."""
    driver = SQLiteDriver(tmp_path / "t.db", lock_timeout=0.05)
    await driver.commit([Statement("CREATE TABLE t (x)", ())])
    async with driver.exclusive():
        task = asyncio.ensure_future(driver.commit([INSERT]))
        with pytest.raises(sqlite3.OperationalError) as caught:
            await task
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
    await driver.dispose()
