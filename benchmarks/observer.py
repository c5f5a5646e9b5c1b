"""What is really stored, seen through a connection of the benchmark's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import psycopg

from benchmarks.urls import dialect, sqlite_path


def stored_user(url: str, number: int) -> tuple[str, int]:
    """The full name and the version of one user."""
    name, version = _one(url, f"SELECT full_name, version FROM users WHERE id = {int(number)}")
    return name, version


def stored_changes(url: str) -> int:
    """The sum of all versions: it grows by one with every change to any user."""
    return int(_one(url, "SELECT sum(version) FROM users")[0])


def settle(url: str) -> None:
    """Write what earlier turns left to be written, so that every turn begins on a database at rest.

    A SQLite read looks every page up in the write-ahead log first: after somebody's changes it is a third slower.
    """
    if dialect(url) == "postgresql":
        with psycopg.connect(url, autocommit=True) as link:
            link.execute("CHECKPOINT")
    else:
        with closing(sqlite3.connect(sqlite_path(url), timeout=30)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _one(url: str, sql: str) -> tuple[Any, ...]:
    if dialect(url) == "postgresql":
        with psycopg.connect(url, autocommit=True) as link:
            row = link.execute(sql.encode()).fetchone()
    else:
        with closing(sqlite3.connect(sqlite_path(url), timeout=30)) as file:
            row = file.execute(sql).fetchone()
    assert row is not None
    return tuple(row)
