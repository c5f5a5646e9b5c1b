"""The table of history: what was changed, by whom and when, a row for each change of a row."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade.core.errors import DeclarationError
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.mixins import IntegerId
from colonnade.models.types import UTCDateTime

TABLE = "history"
MAX_KEY = 255
"""Characters of a row's key as text; a longer one could not be indexed on MariaDB."""

_RECORDED = "colonnade_recorded_tables"


class _Books(DeclarativeBase):
    """A base of its own: an application's tables are in the application's metadata."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class HistoryRow(IntegerId, _Books):
    """One change of one row.

    Attributes:
        table_name: of the row.
        row_key: its key as text.
        operation: `create`, `update`, `replace`, `delete`, `restore`, `purge`.
        principal: key of who made it; NULL for the application itself, and for anybody.
        version: of the row after it, where its table keeps one.
        changes: JSON; by field what it held before and after, and null for a secret.
    """

    __tablename__ = TABLE
    __table_args__ = (sa.Index(None, "table_name", "row_key", "id"),)

    table_name: Mapped[str] = mapped_column(sa.String(128))
    row_key: Mapped[str] = mapped_column(sa.String(MAX_KEY))
    operation: Mapped[str] = mapped_column(sa.String(16))
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime())
    principal: Mapped[str | None] = mapped_column(sa.String(255))
    request_id: Mapped[str | None] = mapped_column(sa.String(128))
    version: Mapped[int | None]
    # Text, and not the databases' JSON: decimals come back digit by digit, and nothing asks for a part of it.
    changes: Mapped[str] = mapped_column(sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"))


HISTORY = _Books.metadata.tables[TABLE]
"""The same table for statements, whichever application's metadata it was declared in."""


def history_table(metadata: sa.MetaData) -> sa.Table:
    """Declare the table among an application's own, so that `create_all` and its migrations make it.

    Call it beside the models, where a migration's `env.py` imports it; a resource with `Routes(history=True)` calls it as
    well, and gets the same table.

    Args:
        metadata: of the resources whose changes are recorded: the history is stored in their database.

    Raises:
        DeclarationError: the application has a table `history` of its own.
    """
    if TABLE in metadata.tables:
        if "row_key" not in metadata.tables[TABLE].columns:
            raise DeclarationError(
                f"a table '{TABLE}' is declared already, and it is not the one of colonnade's history"
            )
        return metadata.tables[TABLE]
    return HISTORY.to_metadata(metadata)


def recorded_tables(metadata: sa.MetaData) -> set[str]:
    """Give the names of the tables whose changes are recorded; add to it where a resource wants that."""
    found: set[str] = metadata.info.setdefault(_RECORDED, set())
    return found
