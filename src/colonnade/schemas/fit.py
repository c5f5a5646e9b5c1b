"""Fitting values into columns before a statement is made of them.

SQLite takes a text of any length into VARCHAR(100), MariaDB may cut it, PostgreSQL refuses it: the wire says 422 on all of
them, whatever the user's own schema lets through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import Fault, InvalidBodyError
from colonnade.models.facts import ColumnFacts, Kind, TableFacts, read_facts

Check: TypeAlias = "Callable[[Any], tuple[str, str] | None]"

MAX_DIGITS = 300
"""Of a decimal whose column names no precision: what SQLite, which keeps such a one as a double, can hold."""


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def fit_values(facts: TableFacts, values: Mapping[str, object], *, at: str = "") -> None:
    """Check that each value can be stored as it is.

    Args:
        facts: the table.
        values: attribute key -> value, only those that the client sent or a hook set.
        at: JSON Pointer of the object that the values come from.

    Raises:
        InvalidBodyError: CLN201, one fault a value that does not fit.
    """
    checks = _checks_of(facts.model)
    faults = [
        Fault(*found, pointer=f"{at}/{key}")
        for key, value in values.items()
        if key in checks and (found := checks[key](value)) is not None
    ]
    if faults:
        raise InvalidBodyError("Some values do not fit.", faults=faults)


def all_fit(facts: TableFacts, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether all values of many rows can be stored as they are; which of them can't is for `fit_values` to say.

    A third of its time for a thousand rows, since a column is looked at in one go.

    Args:
        facts: the table.
        rows: values by attribute key; one that is no column's does not fit.
    """
    checks = _checks_of(facts.model)
    if not all(row.keys() <= checks.keys() for row in rows):
        return False
    given = dict.fromkeys(key for row in rows for key in row)
    return all(_column_fits(facts.columns[key], [row[key] for row in rows if key in row]) for key in given)


def _column_fits(column: ColumnFacts, values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not None]
    if len(there) < len(values) and not column.nullable:
        return False
    if column.kind is Kind.TEXT:
        longest = max(map(len, there), default=0)
        return (column.max_length is None or longest <= column.max_length) and "\0" not in "".join(there)
    check = _CHECKS.get(column.kind)
    return check is None or all(check(column, value) is None for value in there)


def misfit(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    """Tell why a value does not fit a column: (code, message), or None when it does."""
    return _check_of(column)(value)


@cache
def _checks_of(model: type[DeclarativeBase]) -> Mapping[str, Check]:
    """Look the checks of a table up once: a bulk change asks thousands of times."""
    return {key: _check_of(column) for key, column in read_facts(model).columns.items()}


def _check_of(column: ColumnFacts) -> Check:
    check = _CHECKS.get(column.kind)

    def checked(value: Any) -> tuple[str, str] | None:
        if value is None:
            return None if column.nullable else ("required", "Null is not allowed here.")
        return None if check is None else check(column, value)

    return checked


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
        return (
            None
            if number.adjusted() < MAX_DIGITS
            else ("out_of_range", f"At most {MAX_DIGITS} digits before the point.")
        )
    precision, scale = column.digits
    # Only a number that is written with more places is looked at digit by digit: it may end in zeros.
    if -int(number.as_tuple().exponent) > scale and _places(number) > scale:
        return "decimal_max_places", f"At most {scale} digits behind the point."
    if number and number.adjusted() >= precision - scale:
        return "out_of_range", f"At most {precision - scale} digits before the point."
    return None


def _places(number: Decimal) -> int:
    """Count the digits behind the point; `normalize` would round to 28 digits first, or overflow."""
    _, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits))
    return -int(exponent) - (len(text) - len(text.rstrip("0"))) if number else 0


def _float(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    return None if math.isfinite(value) else ("not_finite", "NaN and Infinity are not allowed.")


def _time(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    if isinstance(value, time) and value.tzinfo is not None:
        return "timezone_unexpected", "A time of day has no offset, e.g. 12:30:00."
    return None


def _json(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    """A document is read back by parsers that know doubles (RFC 7493 §2.2): what they would alter is refused."""
    if isinstance(value, dict | list):
        children = value.values() if isinstance(value, dict) else value
        return next((found for child in children if (found := _json(column, child))), None)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return "number_out_of_range", "Whole numbers in a document are of 64 bits."
    if isinstance(value, Decimal) and Decimal(repr(float(value))) != value:
        return "number_inexact", "Numbers with a fraction in a document have at most 15 to 17 significant digits."
    return None


def _datetime(column: ColumnFacts, value: Any) -> tuple[str, str] | None:
    if isinstance(value, datetime) and value.tzinfo is None:
        return "timezone_missing", "A time needs its offset, e.g. 2026-01-31T12:00:00Z."
    try:
        instant = value.astimezone(UTC)
    except OverflowError:
        instant = _LAST
    # asyncpg stores the first and the last one that Python knows as -infinity and infinity.
    if instant in {_FIRST, _LAST}:
        return "out_of_range", "From the year 1 to the year 9999, in UTC."
    return None


_CHECKS: Mapping[Kind, Callable[[ColumnFacts, Any], tuple[str, str] | None]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.DATETIME: _datetime,
    Kind.TIME: _time,
    Kind.JSON: _json,
}
