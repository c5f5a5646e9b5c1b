"""SIGKILL under writes: what was acknowledged is there, and nothing is there by half."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

CYCLES = int(os.environ.get("KILL_CYCLES", "10"))

PROGRAM = """
    import asyncio, itertools, os, signal, sys
    from colonnade.database.driver import Statement
    from colonnade.database.sqlite import SQLiteDriver

    async def main():
        path, cycle, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        driver = SQLiteDriver(path)
        await driver.commit([Statement("CREATE TABLE IF NOT EXISTS t (cycle, number, half)", ())])
        numbers = itertools.count()

        async def write():
            for number in numbers:
                await driver.commit([Statement("INSERT INTO t VALUES (?, ?, ?)", (cycle, number, half)) for half in (1, 2)])
                os.write(1, b"%d\\n" % number)
                if number == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        await asyncio.gather(*(write() for _ in range(20)))

    asyncio.run(main())
"""
NEVER = -1


def acknowledged_before_death(path: Path, cycle: int, last: int = NEVER) -> set[int]:
    """Run a process of twenty writers until it dies, and give the numbers that it acknowledged.

    Args:
        path: of the database.
        cycle: marks the rows.
        last: the number at whose acknowledgement the process kills itself; else it is killed from here, at any moment.
    """
    program = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM)]
    with subprocess.Popen([*program, str(path), str(cycle), str(last)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if last == NEVER:
            time.sleep(random.uniform(0.01, 0.15))
            process.send_signal(signal.SIGKILL)
        lines = (first + process.stdout.read()).split(b"\n")
    return {int(line) for line in lines[:-1]}  # what follows the last newline was cut off


def check(path: Path, cycle: int, acknowledged: set[int]) -> None:
    """Every acknowledged change is there, none by half, and the file is whole."""
    assert acknowledged
    connection = sqlite3.connect(path)
    halves = connection.execute("SELECT number, count(*) FROM t WHERE cycle = ? GROUP BY number", (cycle,)).fetchall()
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert acknowledged <= {number for number, _ in halves}
    assert {count for _, count in halves} == {2}


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Reliability, SIGKILL under writes: every acknowledged row is there and no change by half."""
    path = tmp_path / "killed.db"
    for cycle in range(CYCLES):
        check(path, cycle, acknowledged_before_death(path, cycle))


def test_a_kill_right_after_the_answer_loses_nothing(tmp_path: Path) -> None:
    """Reliability, SIGKILL under writes: at the moment of the answer the row is there already."""
    path = tmp_path / "killed.db"
    for cycle in range(CYCLES):
        last = random.randint(0, 200)
        acknowledged = acknowledged_before_death(path, cycle, last)
        assert last in acknowledged
        check(path, cycle, acknowledged)
