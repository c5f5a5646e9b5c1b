"""Ids that are given once stay so when a migration copies a table, which is how SQLite's tables are changed.

SQLAlchemy does not read AUTOINCREMENT off a table, so that Alembic's copy would lack it; and the old table takes its
counter along (https://www.sqlite.org/autoinc.html), so that the copy would begin anew after its greatest id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Inspector, Table, event

_NUMBERED = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? AND sql LIKE '%AUTOINCREMENT%'"


@contextmanager
def numbering_kept(connection: Connection) -> Iterator[Callable[..., None]]:
    """Let tables that are copied inside the block go on numbering where they stood.

    Args:
        connection: that the migrations run on.

    Yields:
        What is to be called at the end of each migration, before its commit; whatever it is given is ignored.
    """
    before = _counters(connection)
    connection.rollback()  # else Alembic takes what was begun for the caller's, and commits nothing in between

    def restore(**_: Any) -> None:
        for name, last in before.items():
            _restore(connection, name, last)

    event.listen(Table, "column_reflect", _note_autoincrement)
    try:
        yield restore
    finally:
        event.remove(Table, "column_reflect", _note_autoincrement)


def _counters(connection: Connection) -> dict[str, int]:
    """Read the last id that each table gave; SQLite has the table of them once a table needs it."""
    if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").first():
        return {}
    return {str(name): int(last) for name, last in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}


def _restore(connection: Connection, name: str, last: int) -> None:
    found = connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, name))
    # A copy of no rows has no counter yet, and a table that was dropped needs none.
    if not found.rowcount and connection.exec_driver_sql(_NUMBERED, (name,)).first():
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))


def _note_autoincrement(inspector: Inspector, table: Table, column: Any) -> None:
    bind: sa.Engine | Connection = inspector.bind
    if not column.get("primary_key") or not isinstance(bind, Connection) or bind.dialect.name != "sqlite":
        return
    if bind.exec_driver_sql(_NUMBERED, (table.name,)).first():
        table.kwargs["sqlite_autoincrement"] = True
