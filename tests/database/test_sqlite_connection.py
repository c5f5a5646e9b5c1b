"""How SQLite's connections are opened, and what happens when that or the disk fails."""

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import make_url

from colonnade.database.driver import Statement
from colonnade.database.sqlite import SQLiteDriver

pytestmark = pytest.mark.anyio

TABLE = Statement("CREATE TABLE t (x)", ())


async def test_a_url_is_a_target(tmp_path: Path) -> None:
    """SQLAlchemy's URL of a file and of a shared memory database lead where its engine goes."""
    path = tmp_path / "t.db"
    for url in (f"sqlite+aiosqlite:///{path}", "sqlite:///file:/by-url?vfs=memdb&uri=true"):
        driver = SQLiteDriver(make_url(url))
        await driver.commit([TABLE])
        assert await driver.fetch(Statement("SELECT name FROM sqlite_master", ())) == [("t",)]
        await driver.dispose()
    assert path.exists()


async def test_a_function_is_a_target(tmp_path: Path) -> None:
    """A caller may open the connections itself; they are set up all the same."""
    driver = SQLiteDriver(lambda: sqlite3.connect(tmp_path / "t.db", check_same_thread=False))
    await driver.commit([TABLE])
    assert await driver.fetch(Statement("PRAGMA journal_mode", ())) == [("wal",)]
    await driver.dispose()


async def test_a_full_disk_fails_the_change_that_does_not_fit(tmp_path: Path) -> None:
    """SQLite rolls back all on a full disk; the changes are run again one by one, and those that fit are stored."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(tmp_path / "t.db", check_same_thread=False)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    driver = SQLiteDriver(connect)
    await driver.commit([TABLE])
    insert = "INSERT INTO t VALUES (zeroblob(?))"
    results = await asyncio.gather(
        *(driver.commit([Statement(insert, (size,))]) for size in (10, 1_000_000, 10)), return_exceptions=True
    )
    assert [getattr(result, "sqlite_errorcode", None) for result in results] == [None, sqlite3.SQLITE_FULL, None]
    assert await driver.fetch(Statement("SELECT length(x) FROM t", ())) == [(10,), (10,)]
    await driver.dispose()


async def test_a_long_queue_is_stored_in_slices_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the slice of the loop's time is over, the rest of the queue is stored by the next commit, in order."""
    monkeypatch.setattr("colonnade.database.sqlite.writer._SLICE", -1.0)
    driver = SQLiteDriver(tmp_path / "t.db")
    await driver.commit([TABLE])
    await asyncio.gather(*(driver.commit([Statement("INSERT INTO t VALUES (?)", (n,))]) for n in range(10)))
    assert await driver.fetch(Statement("SELECT x FROM t ORDER BY rowid", ())) == [(n,) for n in range(10)]
    await driver.dispose()


def test_processes_that_start_together_share_a_new_file(tmp_path: Path) -> None:
    """Four processes open a file that none has turned to a write-ahead log yet, and none is told that it is locked."""
    program = """
        import asyncio, sys
        from colonnade.database.driver import Statement
        from colonnade.database.sqlite import SQLiteDriver

        async def main():
            driver = SQLiteDriver(sys.argv[1])
            await driver.commit([Statement("CREATE TABLE IF NOT EXISTS t (x)", ())])
            await asyncio.gather(*(driver.commit([Statement("INSERT INTO t VALUES (1)", ())]) for _ in range(20)))
            await driver.dispose()

        asyncio.run(main())
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), str(tmp_path / "new.db")]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    connection = sqlite3.connect(tmp_path / "new.db")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (80,)
    connection.close()
