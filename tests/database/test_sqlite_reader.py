"""Reads on SQLite: short ones where they stand, long and locked ones on a thread."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from colonnade.database.driver import Statement
from colonnade.database.sqlite import SQLiteDriver

pytestmark = pytest.mark.anyio

ENDLESS = Statement("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n", ())
LONG = Statement(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT sum(i) FROM n", ()
)
BY_KEY = "SELECT id, name FROM things WHERE id = ?"


def counting_threads(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the text of every read that runs on a thread."""
    seen: list[str] = []
    threads = driver._reader._threads
    fetch = threads.fetch

    async def record(statement: Statement) -> Any:
        seen.append(statement.sql)
        return await fetch(statement)

    monkeypatch.setattr(threads, "fetch", record)
    return seen


async def ticks_during(work: Callable[[], Any]) -> int:
    """Count how often the loop turned before the work was done."""
    task = asyncio.ensure_future(work())
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.001)
        ticks += 1
    await task
    return ticks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a thousand things."""
    path = tmp_path / "things.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    connection.executemany("INSERT INTO things (name) VALUES (?)", [(f"thing {n}",) for n in range(1000)])
    connection.commit()
    connection.close()
    return path


@pytest.fixture
async def driver(path: Path) -> AsyncIterator[SQLiteDriver]:
    """A driver on that file."""
    driver = SQLiteDriver(path)
    yield driver
    await driver.dispose()


async def test_a_keyed_read_stays_on_the_loops_thread(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short read runs where it stands and gives its rows."""
    on_threads = counting_threads(driver, monkeypatch)
    assert await driver.fetch(Statement(BY_KEY, (7,))) == [(7, "thing 6")]
    assert on_threads == []


async def test_a_short_read_is_never_stopped(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget is each run's own, though SQLite counts a prepared statement's steps over all its runs."""
    monkeypatch.setattr("colonnade.database.sqlite.reader._LONG_HERE", 60.0)
    on_threads = counting_threads(driver, monkeypatch)
    for number in range(3000):
        await driver.fetch(Statement(BY_KEY, (number,)))
    assert on_threads == []


async def test_an_overrun_is_run_again_on_a_thread(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read past its budget of steps still gives its rows, from a thread, and its text goes there at once next time."""
    on_threads = counting_threads(driver, monkeypatch)
    assert await driver.fetch(LONG) == [(300_000 * 300_001 // 2,)]
    assert driver._reader._pace.is_slow(LONG.sql)
    assert await driver.fetch(LONG) == [(300_000 * 300_001 // 2,)]
    assert on_threads == [LONG.sql] * 2


async def test_the_loop_turns_while_a_long_read_runs(path: Path) -> None:
    """A read of half a second lets the loop turn hundreds of times."""
    driver = SQLiteDriver(path, time_limit=0.5)

    async def endless() -> None:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            await driver.fetch(ENDLESS)

    assert await ticks_during(endless) > 50
    await driver.dispose()


async def test_a_read_past_the_time_limit_is_stopped(path: Path) -> None:
    """The time limit ends a read with SQLite's own error, and the connection serves the next one."""
    driver = SQLiteDriver(path, time_limit=0.1)
    with pytest.raises(sqlite3.OperationalError) as caught:
        await driver.fetch(ENDLESS)
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
    assert await driver.fetch(Statement(BY_KEY, (1,))) == [(1, "thing 0")]
    await driver.dispose()


async def test_a_cancelled_long_read_is_stopped(driver: SQLiteDriver) -> None:
    """A caller that goes away does not leave its read running."""
    task = asyncio.ensure_future(driver.fetch(ENDLESS))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    threads = driver._reader._threads
    async with asyncio.timeout(30):
        while len(threads._idle) < len(threads._open):
            await asyncio.sleep(0.005)


async def test_more_long_reads_than_threads_all_answer(driver: SQLiteDriver) -> None:
    """Long reads wait for their turn."""
    answers = await asyncio.gather(*(driver.fetch(LONG) for _ in range(12)))
    assert answers == [[(300_000 * 300_001 // 2,)]] * 12


async def test_counting_a_table_starts_on_a_thread(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """`count(*)` is one step that no budget stops: it runs on a thread first, and comes back once it was quick."""
    on_threads = counting_threads(driver, monkeypatch)
    monkeypatch.setattr("colonnade.database.sqlite.pace._QUICK", 60.0)
    count = Statement("SELECT count(*) FROM things", ())
    for _ in range(3):
        assert await driver.fetch(count) == [(1000,)]
    assert on_threads == [count.sql]


async def test_what_takes_long_in_few_steps_goes_to_a_thread(
    driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that the budget does not see, long twice in a row, runs on a thread until it is quick there."""
    on_threads = counting_threads(driver, monkeypatch)
    monkeypatch.setattr("colonnade.database.sqlite.pace._QUICK", 60.0)
    monkeypatch.setattr("colonnade.database.sqlite.reader._LONG_HERE", 0.0)
    for _ in range(3):
        await driver.fetch(Statement(BY_KEY, (1,)))
    assert on_threads == [BY_KEY]
    await driver.fetch(Statement(BY_KEY, (1,)))
    assert on_threads == [BY_KEY]


async def test_one_long_read_is_forgiven(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that took long once, and was quick after that, stays where it stands."""
    on_threads = counting_threads(driver, monkeypatch)
    for long in (0.0, 60.0) * 3:
        monkeypatch.setattr("colonnade.database.sqlite.reader._LONG_HERE", long)
        await driver.fetch(Statement(BY_KEY, (1,)))
    assert on_threads == []


async def test_no_read_keeps_the_log_from_being_reset(driver: SQLiteDriver, path: Path) -> None:
    """After reads, overrun ones too, no transaction is open that would pin the write-ahead log."""
    await driver.fetch(Statement(BY_KEY, (1,)))
    await driver.fetch(LONG)
    other = sqlite3.connect(path)
    other.execute("INSERT INTO things (name) VALUES ('new')")
    other.commit()
    busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert busy == 0


async def test_a_read_can_not_write(driver: SQLiteDriver) -> None:
    """The reading connection refuses to change anything."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await driver.fetch(Statement("DELETE FROM things", ()))


async def test_a_wrong_statement_raises_sqlites_own_error(driver: SQLiteDriver) -> None:
    """An error that is neither a lock nor an overrun is not tried again."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await driver.fetch(Statement("SELECT * FROM no_things", ()))


async def test_a_locked_database_does_not_hold_the_loop() -> None:
    """A read that meets a lock waits on a thread while the loop turns, and answers once the lock is gone."""
    other = sqlite3.connect("file:/held?vfs=memdb", uri=True, isolation_level=None, check_same_thread=False)
    driver = SQLiteDriver("file:/held?vfs=memdb")
    await driver.commit([Statement("CREATE TABLE t (x)", ()), Statement("INSERT INTO t VALUES (2)", ())])
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.3, other.execute, "COMMIT")
    rows: list[Any] = []

    async def read() -> None:
        rows.extend(await driver.fetch(Statement("SELECT x FROM t", ())))

    assert await ticks_during(read) > 50
    assert rows == [(2,)]
    other.close()
    await driver.dispose()


async def test_a_lock_that_stays_is_an_error_after_the_busy_timeout() -> None:
    """A read does not wait for ever."""
    other = sqlite3.connect("file:/stays?vfs=memdb", uri=True, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    driver = SQLiteDriver("file:/stays?vfs=memdb", busy_timeout=0.05)
    await driver.fetch(LONG)  # opens both kinds of connection
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        await driver.fetch(Statement("SELECT x FROM t", ()))
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
    other.close()
    await driver.dispose()


async def test_lower_case_is_unicodes(driver: SQLiteDriver) -> None:
    """`unicode_lower` knows every alphabet and leaves NULL alone."""
    assert await driver.fetch(Statement("SELECT unicode_lower('ÄÖÜ ΣΙΓΜΑ'), unicode_lower(NULL)", ())) == [
        ("äöü σιγμα", None)
    ]


async def test_a_disposed_driver_refuses(path: Path) -> None:
    """After `dispose` a read is a mistake of the program."""
    driver = SQLiteDriver(path)
    await driver.fetch(Statement(BY_KEY, (1,)))
    await driver.dispose()
    with pytest.raises(RuntimeError, match="disposed"):
        await driver.fetch(Statement(BY_KEY, (1,)))


async def test_a_driver_costs_nothing_before_its_first_use(tmp_path: Path) -> None:
    """Making a driver opens no connection and starts no thread."""
    before = threading.active_count()
    driver = SQLiteDriver(tmp_path / "never.db")
    assert threading.active_count() == before
    assert not (tmp_path / "never.db").exists()
    await driver.dispose()


async def test_many_texts_are_not_remembered_for_ever(driver: SQLiteDriver) -> None:
    """What is known of statements is bounded."""
    for number in range(1100):
        await driver.fetch(Statement(f"SELECT {number}", ()))
    assert len(driver._reader._pace._until) <= 1024


async def test_first_reads_at_the_same_moment_share_one_connection(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst on a driver that is not open yet opens it once."""
    driver = SQLiteDriver(path)
    opened = []
    connect = driver._reader._connect

    def count() -> sqlite3.Connection:
        opened.append(1)
        return connect()

    monkeypatch.setattr(driver._reader, "_connect", count)
    rows = await asyncio.gather(*(driver.fetch(Statement(BY_KEY, (n,))) for n in range(1, 21)))
    assert [row[0][0] for row in rows] == list(range(1, 21))
    assert len(opened) == 1
    await driver.dispose()
