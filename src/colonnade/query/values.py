"""One text of a query or a path, read as a value of a column: strictly, since `1.0` and `+1` are not ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from uuid import UUID

import sqlalchemy as sa

from colonnade.models.facts import ColumnFacts, Kind
from colonnade.schemas.fit import misfit

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_FLOAT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Python reads all of ISO 8601, week dates included; RFC 3339 is what the wire has.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_DATETIME = re.compile(rf"{_DATE.pattern}[Tt ]{_TIME.pattern}([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?")
# An unescaped `+` of an offset arrives as a space; nothing else can be meant by it.
_SPACED_OFFSET = re.compile(r" (?=\d\d:\d\d$)")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}

EXPECTED: Mapping[Kind, str] = {
    Kind.INTEGER: "a whole number",
    Kind.DECIMAL: "a decimal number",
    Kind.FLOAT: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "a time as RFC 3339 has it, with its offset, e.g. 2026-01-31T12:00:00Z",
    Kind.DATE: "a date, e.g. 2026-01-31",
    Kind.TIME: "a time of day, e.g. 12:30:00",
    Kind.UUID: "a UUID",
    Kind.TEXT: "a text",
}


class UnreadableError(ValueError):
    """A text is not a value of the column; the arguments are a stable code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def read_value(column: ColumnFacts, text: str) -> object:
    """Read a text as a value of a column, within the column's bounds.

    Raises:
        UnreadableError: it is none, or it can't be in that column.
    """
    try:
        value = _READERS[column.kind](column, text)
    except UnreadableError:
        raise
    except (ValueError, KeyError, InvalidOperation, OverflowError):
        raise UnreadableError(f"{column.kind.value}_expected", f"Expected {_expected(column)}.") from None
    # A text longer than its column is a sound question with an empty answer.
    if column.kind is not Kind.TEXT and (found := misfit(column, value)):
        raise UnreadableError(*found)
    return value


def read_default(column: ColumnFacts) -> object:
    """Read the default that the database itself gives a column; None where there is none, or where it is SQL."""
    default = column.column.server_default
    text = default.arg if isinstance(default, sa.DefaultClause) else None
    if not isinstance(text, str):
        return None
    try:
        return read_value(column, text)
    except UnreadableError:
        return None


def enum_texts(column: ColumnFacts) -> list[str]:
    """List the values of an enum as the wire has them, in their declared order."""
    if column.python_type is str:
        return list(column.column.type.enums)  # type: ignore[attr-defined]
    return [str(member.value) for member in column.python_type]  # type: ignore[attr-defined]


def _expected(column: ColumnFacts) -> str:
    return f"one of: {', '.join(enum_texts(column))}" if column.kind is Kind.ENUM else EXPECTED[column.kind]


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError
    return text


def _text(column: ColumnFacts, text: str) -> str:
    if "\0" in text:
        raise UnreadableError("text_unstorable", "Text can't hold U+0000.")
    return text


def _datetime(column: ColumnFacts, text: str) -> datetime:
    value = datetime.fromisoformat(_matched(_DATETIME, _SPACED_OFFSET.sub("+", text)))
    return value if value.tzinfo is None else value.astimezone(UTC)


def _enum(column: ColumnFacts, text: str) -> object:
    if column.python_type is str:
        return next(name for name in column.column.type.enums if name == text)  # type: ignore[attr-defined]
    return next(member for member in column.python_type if str(member.value) == text)  # type: ignore[attr-defined]


def _enum_or_error(column: ColumnFacts, text: str) -> object:
    try:
        return _enum(column, text)
    except StopIteration:
        raise ValueError from None


_READERS: Mapping[Kind, Callable[[ColumnFacts, str], object]] = {
    Kind.INTEGER: lambda _, text: int(_matched(_INTEGER, text)),
    Kind.DECIMAL: lambda _, text: Decimal(_matched(_DECIMAL, text)),
    Kind.FLOAT: lambda _, text: float(_matched(_FLOAT, text)),
    Kind.BOOLEAN: lambda _, text: _BOOLEANS[text],
    Kind.DATETIME: _datetime,
    Kind.DATE: lambda _, text: date.fromisoformat(_matched(_DATE, text)),
    Kind.TIME: lambda _, text: time.fromisoformat(_matched(_TIME, text)),
    Kind.UUID: lambda _, text: UUID(_matched(_UUID, text)),
    Kind.ENUM: _enum_or_error,
    Kind.TEXT: _text,
}
