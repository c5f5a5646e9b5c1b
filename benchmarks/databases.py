"""The two databases under measure, empty and with durable settings."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from colonnade.testing.postgresql import PostgreSQL

# The table fits into memory, as a working set does in production; nothing that a commit promises is
# switched off: fsync, synchronous_commit, full_page_writes, autovacuum and the WAL keep their defaults.
_SETTINGS = {"shared_buffers": "256MB"}


@contextlib.contextmanager
def database(dialect: str) -> Iterator[str]:
    """The plain URL of an empty, durable database of the dialect, which is thrown away afterwards."""
    with _SOURCES[dialect]() as url:
        yield url


@contextlib.contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="colonnade-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'bench.db'}"


@contextlib.contextmanager
def _postgresql() -> Iterator[str]:
    # A server of one's own choice, whose database must be empty.
    if url := os.environ.get("BENCH_POSTGRESQL_URL"):
        yield url
        return
    with PostgreSQL(durable=True, options=_SETTINGS) as server:
        yield server.url


_SOURCES = {"postgresql": _postgresql, "sqlite": _sqlite}
