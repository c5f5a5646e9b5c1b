"""Writes on SQLite: grouped into durable commits, each caller all or nothing."""

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from colonnade.database.driver import Outcome, Statement
from colonnade.database.sqlite import SQLiteDriver
from colonnade.database.sqlite.batch import finish

pytestmark = pytest.mark.anyio

SCHEMA = """
    CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, count INTEGER DEFAULT 0);
    CREATE TABLE parts (
        id INTEGER PRIMARY KEY, thing_id INTEGER NOT NULL REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED
    );
"""


def insert(name: str | None) -> Statement:
    """Insert one thing and give its row."""
    return Statement("INSERT INTO things (name) VALUES (?) RETURNING id, name", (name,))


def stored(path: Path, sql: str = "SELECT name FROM things ORDER BY id") -> list[Any]:
    """Look into the file with a connection of our own."""
    connection = sqlite3.connect(path)
    rows = [row[0] for row in connection.execute(sql)]
    connection.close()
    return rows


def count_commits(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record how many changes each transaction took."""
    sizes: list[int] = []
    store = driver._writer._store

    async def record(desk: Any, calls: list[Any]) -> None:
        await store(desk, calls)
        sizes.append(len(calls))

    monkeypatch.setattr(driver._writer, "_store", record)
    return sizes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the tables of this module."""
    path = tmp_path / "things.db"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()
    return path


@pytest.fixture
async def driver(path: Path) -> AsyncIterator[SQLiteDriver]:
    """A driver on that file."""
    driver = SQLiteDriver(path)
    yield driver
    await driver.dispose()


async def test_a_change_answers_with_its_rows(driver: SQLiteDriver, path: Path) -> None:
    """Each statement of a change gives the rows that it returned and how many it affected."""
    outcomes = await driver.commit(
        [insert("a"), insert("b"), Statement("UPDATE things SET count = 1", ()), Statement("DELETE FROM things", ())]
    )
    assert outcomes == [Outcome([(1, "a")], 1), Outcome([(2, "b")], 1), Outcome([], 2), Outcome([], 2)]


async def test_what_waits_together_is_committed_together(
    driver: SQLiteDriver, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred callers at the same moment need one commit, and every row is stored in the order of the calls."""
    await driver.commit([insert("first")])
    sizes = count_commits(driver, monkeypatch)
    outcomes = await asyncio.gather(*(driver.commit([insert(f"thing {n}")]) for n in range(100)))
    assert [outcome[0].rows[0][1] for outcome in outcomes] == [f"thing {n}" for n in range(100)]
    assert stored(path) == ["first", *(f"thing {n}" for n in range(100))]
    assert sum(sizes) == 100
    assert len(sizes) <= 10


async def test_the_answer_comes_after_the_commit(
    driver: SQLiteDriver, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is answered before COMMIT has returned."""
    await driver.commit([insert("first")])
    committing, go_on = threading.Event(), threading.Event()

    def held_up(*arguments: Any) -> Any:
        committing.set()
        go_on.wait(5)
        return finish(*arguments)

    monkeypatch.setattr("colonnade.database.sqlite.writer.finish", held_up)
    task = asyncio.ensure_future(driver.commit([insert("second")]))
    await asyncio.to_thread(committing.wait)
    await asyncio.sleep(0.02)
    assert not task.done()
    assert stored(path) == ["first"]
    go_on.set()
    await task
    assert stored(path) == ["first", "second"]


async def test_a_failing_change_fails_alone(driver: SQLiteDriver, path: Path) -> None:
    """A violated constraint in a batch is its own caller's; the others are stored."""
    names = ["a", "b", "a", None, "c"]
    results = await asyncio.gather(*(driver.commit([insert(name)]) for name in names), return_exceptions=True)
    codes = [getattr(result, "sqlite_errorcode", None) for result in results]
    assert codes == [None, None, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_NOTNULL, None]
    assert stored(path) == ["a", "b", "c"]


@pytest.mark.parametrize("others", [0, 3])
async def test_a_change_is_all_or_nothing(driver: SQLiteDriver, path: Path, others: int) -> None:
    """When its second statement fails, the first one's effect is gone, alone in its transaction or not."""
    await driver.commit([insert("taken")])
    results = await asyncio.gather(
        driver.commit([insert("half"), insert("taken")]),
        *(driver.commit([insert(f"other {n}")]) for n in range(others)),
        return_exceptions=True,
    )
    assert isinstance(results[0], sqlite3.IntegrityError)
    assert stored(path) == ["taken", *(f"other {n}" for n in range(others))]


async def test_a_unique_race_has_one_winner(driver: SQLiteDriver, path: Path) -> None:
    """Of twenty equal inserts one is stored and nineteen are told that the value is taken."""
    for turn in range(20):
        inserts = (driver.commit([insert(f"race {turn}")]) for _ in range(20))
        results = await asyncio.gather(*inserts, return_exceptions=True)
        assert sum(isinstance(result, list) for result in results) == 1
        assert sum(isinstance(result, sqlite3.IntegrityError) for result in results) == 19
    assert len(stored(path)) == 20


async def test_a_deferred_foreign_key_fails_its_own_caller_only(driver: SQLiteDriver, path: Path) -> None:
    """What only COMMIT refuses is found out by running the changes one by one."""
    part = Statement("INSERT INTO parts (thing_id) VALUES (99)", ())
    results = await asyncio.gather(
        driver.commit([insert("a")]), driver.commit([part]), driver.commit([insert("b")]), return_exceptions=True
    )
    assert [isinstance(result, sqlite3.IntegrityError) for result in results] == [False, True, False]
    assert stored(path) == ["a", "b"]


async def test_a_deferred_foreign_key_fails_alone_too(driver: SQLiteDriver) -> None:
    """A single change that COMMIT refuses gets that error, and the next change is not in its way."""
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await driver.commit([Statement("INSERT INTO parts (thing_id) VALUES (99)", ())])
    assert await driver.commit([insert("a")]) == [Outcome([(1, "a")], 1)]


async def test_a_value_that_sqlite_can_not_bind_fails_alone(driver: SQLiteDriver, path: Path) -> None:
    """An error of Python's own, before SQLite is asked, is the caller's too."""
    results = await asyncio.gather(
        driver.commit([insert("a")]),
        driver.commit([Statement("UPDATE things SET count = ?", (2**63,))]),
        driver.commit([insert("b")]),
        return_exceptions=True,
    )
    assert isinstance(results[1], OverflowError)
    assert stored(path) == ["a", "b"]


async def test_a_long_change_runs_on_the_thread(driver: SQLiteDriver, path: Path) -> None:
    """A change past the budget is stored all the same, with what was in its batch, while the loop turns."""
    long = Statement(
        "INSERT INTO things (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) "
        "SELECT 'long ' || i FROM n",
        (),
    )
    task = asyncio.gather(driver.commit([insert("a")]), driver.commit([long]), driver.commit([insert("b")]))
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.001)
        ticks += 1
    outcomes = await task
    assert outcomes[1] == [Outcome([], 100_000)]
    assert ticks > 20
    assert len(stored(path)) == 100_002


async def test_a_change_past_the_time_limit_fails_alone(path: Path) -> None:
    """An endless change is stopped with SQLite's own error; what was in its batch is stored."""
    driver = SQLiteDriver(path, time_limit=0.1)
    endless = Statement(
        "INSERT INTO things (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", ()
    )
    results = await asyncio.gather(
        driver.commit([insert("a")]), driver.commit([endless]), driver.commit([insert("b")]), return_exceptions=True
    )
    assert isinstance(results[1], sqlite3.OperationalError)
    assert results[1].sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
    assert stored(path) == ["a", "b"]
    await driver.dispose()


async def test_a_change_of_many_statements_is_stored(driver: SQLiteDriver, path: Path) -> None:
    """A change of hundreds of statements is one transaction."""
    outcomes = await driver.commit([insert(f"thing {n}") for n in range(500)])
    assert len(outcomes) == 500
    with pytest.raises(sqlite3.IntegrityError):
        await driver.commit([insert(f"more {n % 499}") for n in range(500)])
    assert len(stored(path)) == 500


async def test_another_process_that_holds_the_lock_does_not_hold_the_loop(driver: SQLiteDriver, path: Path) -> None:
    """While another connection writes, a change waits and the loop turns; then it is stored."""
    await driver.commit([insert("a")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.3, other.execute, "COMMIT")
    task = asyncio.ensure_future(driver.commit([insert("b")]))
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.001)
        ticks += 1
    await task
    assert ticks > 50
    other.close()


async def test_a_lock_that_stays_is_an_error_in_time(path: Path) -> None:
    """Whoever waits for longer than the lock timeout is told that the database is locked; nothing of it is stored."""
    driver = SQLiteDriver(path, lock_timeout=0.1)
    await driver.commit([insert("a")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(*(driver.commit([insert(f"b {n}")]) for n in range(3)), return_exceptions=True)
    assert [getattr(result, "sqlite_errorcode", None) for result in results] == [sqlite3.SQLITE_BUSY] * 3
    other.close()
    await driver.commit([insert("c")])
    assert stored(path) == ["a", "c"]
    await driver.dispose()


async def test_two_processes_write_at_once(driver: SQLiteDriver, path: Path) -> None:
    """Two processes with twenty writers each store everything, and nobody is told that the database is locked."""
    program = """
        import asyncio, sys
        from colonnade.database.driver import Statement
        from colonnade.database.sqlite import SQLiteDriver

        async def main():
            driver = SQLiteDriver(sys.argv[1])
            async def write(writer):
                for n in range(25):
                    await driver.commit([Statement("INSERT INTO things (name) VALUES (?)", (f"other {writer} {n}",))])
            await asyncio.gather(*(write(writer) for writer in range(20)))
            await driver.dispose()

        asyncio.run(main())
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), str(path)]
    other = subprocess.Popen(command)  # noqa: ASYNC220  (starting it takes a millisecond)

    async def write(writer: int) -> None:
        number = 0
        while other.poll() is None or number < 25:
            await driver.commit([insert(f"here {writer} {number}")])
            number += 1

    await asyncio.gather(*(write(writer) for writer in range(20)))
    assert other.wait() == 0
    assert len([name for name in stored(path) if name.startswith("other")]) == 500


async def test_a_cancelled_caller_does_not_harm_the_others(driver: SQLiteDriver, path: Path) -> None:
    """A change whose caller went away before it was run is not run; the rest of its batch is stored."""
    tasks = [asyncio.ensure_future(driver.commit([insert(f"thing {n}")])) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert stored(path) == ["thing 0", "thing 2"]


async def test_dispose_stores_what_waits(path: Path) -> None:
    """`dispose` comes after the changes that were asked for before it, and refuses later ones."""
    driver = SQLiteDriver(path)
    tasks = [asyncio.ensure_future(driver.commit([insert(f"thing {n}")])) for n in range(3)]
    await asyncio.sleep(0)
    await driver.dispose()
    await asyncio.gather(*tasks)
    assert len(stored(path)) == 3
    with pytest.raises(RuntimeError, match="disposed"):
        await driver.commit([insert("late")])


async def test_a_database_that_can_not_be_opened_is_an_error(tmp_path: Path) -> None:
    """Every caller is told when the file can't be opened."""
    driver = SQLiteDriver(tmp_path / "no folder" / "things.db")
    results = await asyncio.gather(*(driver.commit([insert("a")]) for _ in range(2)), return_exceptions=True)
    assert [getattr(result, "sqlite_errorcode", None) for result in results] == [sqlite3.SQLITE_CANTOPEN] * 2
    await driver.dispose()


async def test_a_memory_database_is_shared_by_reader_and_writer() -> None:
    """What was committed to a memory database is read at once."""
    driver = SQLiteDriver("file:/shared?vfs=memdb")
    await driver.commit([Statement("CREATE TABLE t (x)", ())])
    for number in range(50):
        await driver.commit([Statement("INSERT INTO t VALUES (?)", (number,))])
        assert await driver.fetch(Statement("SELECT max(x) FROM t", ())) == [(number,)]
    await driver.dispose()


async def test_a_memory_database_is_written_while_it_is_read() -> None:
    """Another connection's open read delays a commit to a memory database, and loses nothing."""
    driver = SQLiteDriver("file:/read?vfs=memdb")
    await driver.commit([Statement("CREATE TABLE t (x)", ()), Statement("INSERT INTO t VALUES (1)", ())])
    other = sqlite3.connect("file:/read?vfs=memdb", uri=True, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT x FROM t").fetchall()
    asyncio.get_running_loop().call_later(0.1, other.execute, "COMMIT")
    await driver.commit([Statement("INSERT INTO t VALUES (2)", ())])
    assert await driver.fetch(Statement("SELECT x FROM t", ())) == [(1,), (2,)]
    other.close()
    await driver.dispose()
