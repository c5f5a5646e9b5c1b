"""Fitting values into columns before a statement is made of them.

SQLite takes a text of any length into VARCHAR(100), MariaDB may cut it, PostgreSQL refuses it: the wire says 422 on all of
them, whatever the user's own schema lets through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from colonnade.core.errors import Fault, InvalidBodyError
from colonnade.models.facts import ColumnFacts, Kind, TableFacts


def fit_values(facts: TableFacts, values: Mapping[str, object], *, at: str = "") -> None:
    """Check that each value can be stored as it is.

    Args:
        facts: the table.
        values: attribute key -> value, only those that the client sent or a hook set.
        at: JSON Pointer of the object that the values come from.

    Raises:
        InvalidBodyError: CLN201, one fault a value that does not fit.
    """
    faults = [
        Fault(*found, pointer=f"{at}/{key}")
        for key, value in values.items()
        if (column := facts.columns.get(key)) is not None and (found := misfit(column, value))
    ]
    if faults:
        raise InvalidBodyError("Some values do not fit.", faults=faults)


def misfit(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    """Tell why a value does not fit a column: (code, message), or None when it does."""
    if value is None:
        return None if column.nullable else ("required", "Null is not allowed here.")
    check = _CHECKS.get(column.kind)
    return check(column, value) if check else None


def _text(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    if column.max_length is not None and len(value) > column.max_length:
        return "string_too_long", f"At most {column.max_length} characters."
    if "\0" in value:
        return "text_unstorable", "Text can't hold U+0000 or a lone surrogate."
    return None


def _integer(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    if column.bounds is not None and not column.bounds[0] <= value <= column.bounds[1]:
        return "out_of_range", f"From {column.bounds[0]} to {column.bounds[1]}."
    return None


def _decimal(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite():
        return "not_finite", "NaN and Infinity are not allowed."
    if column.digits is None:
        return None
    precision, scale = column.digits
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > scale:
        return "decimal_max_places", f"At most {scale} digits behind the point."
    if number and number.adjusted() >= precision - scale:
        return "out_of_range", f"At most {precision - scale} digits before the point."
    return None


def _datetime(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    if isinstance(value, datetime) and value.tzinfo is None:
        return "timezone_missing", "A time needs its offset, e.g. 2026-01-31T12:00:00Z."
    return None


_CHECKS: Mapping[Kind, Callable[[ColumnFacts, Any], tuple[str, str] | None]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.DATETIME: _datetime,
}
