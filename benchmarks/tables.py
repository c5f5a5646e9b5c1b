"""One database and one users table for everybody: made by the reference application, filled with plain SQL."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import psycopg
from sqlalchemy import create_engine, inspect

from benchmarks.contenders import COLONNADE, reference_exists
from benchmarks.data import COLUMNS, ROWS, Value, rows
from benchmarks.errors import BenchmarkError
from benchmarks.peers import Base
from benchmarks.urls import dialect, sqlite_path, sync_url
from benchmarks.workers import ROOT

_NAMES = ", ".join(COLUMNS)


def prepare(url: str) -> None:
    """Create the users table in an empty database and fill it."""
    if reference_exists():
        _migrate(url)
    else:
        engine = create_engine(sync_url(url))
        Base.metadata.create_all(engine)
        engine.dispose()
    _require_columns(url)
    fill = {"postgresql": _fill_postgresql, "sqlite": _fill_sqlite}[dialect(url)]
    fill(url)


def _migrate(url: str) -> None:
    command = [sys.executable, "-m", "colonnade.cli", "db", "upgrade"]
    environment = os.environ | dict(COLONNADE.environment) | {"DATABASE_URL": url}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise BenchmarkError(f"colonnade db upgrade failed: {done.stderr or done.stdout}")


def _require_columns(url: str) -> None:
    engine = create_engine(sync_url(url))
    there = {column["name"] for column in inspect(engine).get_columns("users")}
    engine.dispose()
    if missing := set(COLUMNS) - there:
        raise BenchmarkError(f"the users table has no {', '.join(sorted(missing))}: align benchmarks/data.py with it")


def _fill_postgresql(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as link:
        with link.cursor().copy(f"COPY users ({_NAMES}) FROM STDIN") as copy:
            for row in rows():
                copy.write_row(row)
        link.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), %s)", (ROWS,))
        link.execute("VACUUM ANALYZE users")
        # What seeding left to be written must not fall into somebody's turn.
        link.execute("CHECKPOINT")


def _fill_sqlite(url: str) -> None:
    link = sqlite3.connect(sqlite_path(url))
    link.execute("PRAGMA journal_mode = WAL")
    places = ", ".join("?" * len(COLUMNS))
    with link:
        link.executemany(f"INSERT INTO users ({_NAMES}) VALUES ({places})", _as_sqlite(rows()))
    link.execute("ANALYZE")
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()


def _as_sqlite(source: Iterator[tuple[Value, ...]]) -> Iterator[tuple[Value, ...]]:
    # The text that SQLAlchemy's DateTime writes and reads: the UTC wall clock, always with its fraction.
    times = [COLUMNS.index(name) for name in ("last_login_at", "created_at", "updated_at")]
    for row in source:
        values = list(row)
        for place in times:
            moment = values[place]
            values[place] = moment.strftime("%Y-%m-%d %H:%M:%S.%f") if moment else None  # type: ignore[union-attr]
        yield tuple(values)
