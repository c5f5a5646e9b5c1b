"""The declarative base: constraint names that can be told apart, and column types for Python's own."""

from __future__ import annotations

import enum
import re
from datetime import datetime, time
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Constraint, Double, Enum, MetaData, Table, inspect
from sqlalchemy.orm import DeclarativeBase

from colonnade.models.types import ExactDecimal, JsonDocument, TimeOfDay, UTCDateTime, value_enum


def _distinguish(constraint: Constraint, table: Table) -> str:
    """Add the column's name to the CHECK of an enum that stands in the same table a second time.

    By then the constraint's own name is taken away from it, so the columns' types tell which belong together.
    """
    columns = list(constraint.columns) if isinstance(constraint, CheckConstraint) else []
    if len(columns) != 1 or not isinstance(kind := columns[0].type, Enum):
        return ""
    first = next(column for column in table.columns if isinstance(column.type, Enum) and column.type.name == kind.name)
    return "" if columns[0] is first else f"_{columns[0].name}"


# Named constraints can be dropped by a migration on every database, and a violation tells its columns by the name.
NAMING_CONVENTION: dict[str, Any] = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s%(distinguish)s",
    "distinguish": _distinguish,
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

SECRET_NAME = re.compile(r"password|passwd|secret|token|hash", re.IGNORECASE)


class Base(DeclarativeBase):
    """The base of an application's models; an ordinary `DeclarativeBase` underneath.

    `Mapped[datetime]` is an aware UTC time, `Mapped[Decimal]` is exact, `Mapped[SomeEnum]` is stored by value and
    `Mapped[dict[str, Any]]` is a JSON document.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime(),
        time: TimeOfDay,
        Decimal: ExactDecimal(),
        float: Double(),  # MariaDB's FLOAT keeps seven digits
        enum.Enum: value_enum(),
        dict[str, Any]: JsonDocument,
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note each column's attribute with the column: by that name the wire and its problems know it."""
        super().__init_subclass__(**kwargs)
        if (mapper := inspect(cls, raiseerr=False)) is not None:
            for key, column in mapper.columns.items():
                column.info.setdefault("attribute", key)

    def __repr__(self) -> str:
        """Show the primary key and the loaded short columns; nothing secret, and nothing that would need a query."""
        state = inspect(self)
        shown = [
            f"{attribute.key}={state.dict[attribute.key]!r}"
            for attribute in state.mapper.column_attrs
            if attribute.key in state.dict and not SECRET_NAME.search(attribute.key)
        ]
        return f"<{type(self).__name__} {' '.join(shown[:5])}>"
