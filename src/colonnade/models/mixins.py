"""Columns that most tables share, one idea a mixin."""

from __future__ import annotations

import os
import time
import uuid
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Boolean, Index, Integer, Table, Uuid, false, text, true
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from colonnade.models.clock import utc_now
from colonnade.models.types import BigId, UTCDateTime

SERVER_OWNED = {"server_owned": True}
"""Column `info`: no schema derived from the model lets a client set it."""


def uuid7() -> uuid.UUID:
    """Make a time-ordered UUID (RFC 9562 §5.7): new rows land at the end of the index, not all over it."""
    milliseconds = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (tail >> 64 & 0xFFF) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    return uuid.UUID(int=value)


class IntegerId:
    """`id`: a 64-bit number given by the database, and never given again once its row is gone."""

    id: Mapped[int] = mapped_column(BigId, primary_key=True, sort_order=-100)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have SQLite remember the greatest id that it gave (AUTOINCREMENT), as the other databases do.

        Without it the id of a deleted last row goes to the next one (https://www.sqlite.org/autoinc.html), and a link, a
        cursor or a log that names the old row leads to the new. An insert writes one more small row for it.
        """
        super().__init_subclass__(**kwargs)
        table: object = cls.__dict__.get("__table__")
        if isinstance(table, Table) and "sqlite_autoincrement" not in list(
            table.kwargs
        ):  # `in` alone sees defaults too
            table.kwargs["sqlite_autoincrement"] = True


class UUIDv7Id:
    """`id`: a UUID of version 7, made by the application."""

    id: Mapped[uuid.UUID] = mapped_column(Uuid(), primary_key=True, default=uuid7, sort_order=-100)


class Timestamps:
    """`created_at` and `updated_at`, aware, in UTC, set by the application's clock."""

    created_at: Mapped[datetime] = mapped_column(UTCDateTime(), default=utc_now, sort_order=100, info=SERVER_OWNED)
    updated_at: Mapped[datetime] = mapped_column(
        UTCDateTime(), default=utc_now, onupdate=utc_now, sort_order=101, info=SERVER_OWNED
    )


class SoftDelete:
    """`is_deleted` and `deleted_at`: a deleted row is hidden from every read, and may be restored.

    `alive` is for unique indexes only, see `unique_among_alive`: true, and NULL once the row is deleted.
    """

    is_deleted: Mapped[bool] = mapped_column(
        Boolean, default=False, server_default=false(), sort_order=103, info=SERVER_OWNED
    )
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime(), sort_order=104, info=SERVER_OWNED)
    alive: Mapped[bool | None] = mapped_column(
        Boolean,
        default=True,
        server_default=true(),
        sort_order=105,
        info={**SERVER_OWNED, "secret": True, "mark": True},
    )


def unique_among_alive(*columns: str) -> Index:
    """Declare, in `__table_args__`, that no two rows that are not deleted have the same values; deleted ones keep theirs.

    One index for every database: PostgreSQL and SQLite leave deleted rows out of it, and on MariaDB, which has no partial
    indexes, the NULL of `alive` makes a deleted row's values differ from all others (https://mariadb.com/kb/en/unique/).

    Args:
        columns: names of columns of a table whose class has the mixin `SoftDelete`.
    """
    return Index(
        None,
        *columns,
        "alive",
        unique=True,
        postgresql_where=text("NOT is_deleted"),
        sqlite_where=text("is_deleted = 0"),
    )


Rule = Literal["cascade", "keep", "refuse"]


def when_parent_deleted(rule: Rule) -> dict[str, Any]:
    """Say, as the `info` of a foreign key's column, what becomes of a row when its parent is deleted softly.

    Args:
        rule: `cascade` deletes it softly too, and restoring the parent brings it back; `refuse` answers 409 as long as it
            is there; `keep`, as if nothing was said, leaves it as it is, and also lets it be restored while its parent is
            deleted.
    """
    return {"when_parent_deleted": rule}


class Versioned:
    """`version`: 1 at first, one more with every change, whether by a planned statement or the ORM's flush."""

    version: Mapped[int] = mapped_column(Integer, default=1, sort_order=102, info=SERVER_OWNED)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, object]:
        """Let the ORM's own unit of work check and count the same column."""
        return {"version_id_col": cls.version}
