"""Column types that mean the same on every database."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, Numeric, Time
from sqlalchemy.dialects.mysql import DATETIME, TIME
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from colonnade.core.errors import DeclarationError

# SQLite makes a column the rowid, with its speed and its numbering, only under the very name INTEGER
# (https://www.sqlite.org/lang_createtable.html#rowid); its INTEGER is 64 bits wide all the same.
BigId = BigInteger().with_variant(Integer(), "sqlite")

# None is SQL's NULL, so that `isnull` finds it and a required column refuses it; JSON's own null stands inside documents.
JsonDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# MariaDB's TIME drops the fraction unless it is asked to keep six digits.
TimeOfDay = Time().with_variant(TIME(fsp=6), "mysql", "mariadb")

MAX_SCALED_DIGITS = 18
"""Decimal digits that a 64-bit integer holds whatever they are."""


def value_enum(*members: type[enum.Enum], length: int = 32) -> Enum:
    """Store an enum by its values, as text of `length` with a CHECK, alike on every database."""
    kind: Any = members[0] if members else enum.Enum
    return Enum(
        kind,
        native_enum=False,
        length=length,
        create_constraint=True,
        values_callable=lambda members: [str(member.value) for member in members],
    )


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC with microseconds.

    PostgreSQL stores `timestamptz`; SQLite and MariaDB have no such type and store the UTC wall clock. A naive time is
    refused: which instant it means is anybody's guess.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """MariaDB's DATETIME drops the fraction unless it is asked to keep six digits."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any aware time into UTC; raise `ValueError` on a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without an offset can't be stored; use datetime.now(UTC)")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time back aware."""
        return value if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal without rounding.

    SQLite has no exact decimals: there the value is kept as an integer of its smallest unit (19.90 as 1990), so that
    it compares, sorts and adds up exactly.

    Args:
        precision: digits in all, at most 18.
        scale: digits behind the point.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int = 18, scale: int = 6) -> None:
        if not 0 <= scale <= precision <= MAX_SCALED_DIGITS:
            raise DeclarationError(
                f"ExactDecimal({precision}, {scale}): needs 0 <= scale <= precision <= {MAX_SCALED_DIGITS}"
            )
        super().__init__(precision=precision, scale=scale, asdecimal=True)
        self.precision, self.scale = precision, scale
        self._unit = Decimal(1).scaleb(-scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An integer on SQLite, NUMERIC elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(self.precision, self.scale, asdecimal=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Scale for SQLite, rounding as PostgreSQL does what has more digits than the column."""
        if value is None or dialect.name != "sqlite":
            return value
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        return int(number.quantize(self._unit, ROUND_HALF_UP).scaleb(self.scale))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Give the decimal with all its digits behind the point."""
        if value is None or dialect.name != "sqlite":
            return value  # type: ignore[no-any-return]
        return Decimal(value).scaleb(-self.scale)
