"""From what a driver gives to what the wire shows: one converter a column, None where they are the same.

Where no shorter way is known, SQLAlchemy's own result processor makes the Python value, so that the compiled way and the
ORM way agree by construction; the shorter ways are held to it by a property test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import orjson
import sqlalchemy as sa

from colonnade.core.json import number
from colonnade.models.facts import ColumnFacts, Kind
from colonnade.models.types import ExactDecimal, UTCDateTime

Converter: TypeAlias = "Callable[[Any], object]"


def converter_of(column: ColumnFacts, dialect: sa.Dialect) -> Converter | None:
    """Choose how a column's values, never NULL, become what `dump_json` writes."""
    if column.kind is Kind.ENUM:
        return _enum(column, dialect)
    if short := _SHORT.get((dialect.name, column.kind)):
        found = short(column)
        if found is not _NO_SHORT_WAY:
            return found
    processor: Converter | None = column.column.type.dialect_impl(dialect).result_processor(dialect, None)
    return _time_of_day(processor) if column.kind is Kind.TIME else processor


def _time_of_day(processor: Converter | None) -> Converter:
    """`12:30:00.010000`: orjson (3.13) writes a `time` between 10 and 99 milliseconds as `.10000`, ten times as much."""
    if processor is None:
        return _isoformat
    return lambda value: _isoformat(processor(value))


def _isoformat(value: Any) -> str:
    return str(value.isoformat())


def _no_short_way(value: object) -> object:
    raise NotImplementedError


_NO_SHORT_WAY: Converter = _no_short_way


def _json(column: ColumnFacts) -> Converter:
    """The text is JSON already: it is embedded, not parsed and written anew."""
    return orjson.Fragment


def _sqlite_json(column: ColumnFacts) -> Converter:
    """SQLite turns the text of a document that is one number into that number: a column declared JSON is numeric to it.

    https://www.sqlite.org/datatype3.html#determination_of_column_affinity
    """
    return lambda value: orjson.Fragment(value) if isinstance(value, str) else value


def _sqlite_time(column: ColumnFacts) -> Converter:
    if not isinstance(column.column.type, UTCDateTime):
        return _NO_SHORT_WAY
    return _rfc3339


def _rfc3339(text: str) -> str:
    """`2026-11-20 11:04:43.123456`, as SQLite keeps it, on the wire."""
    return f"{text[:10]}T{text[11:19]}Z" if text.endswith(".000000") else f"{text[:10]}T{text[11:]}Z"


def _enum(column: ColumnFacts, dialect: sa.Dialect) -> Converter | None:
    """One look into a table of texts: a third of the time of the member, its value, and orjson's way to that."""
    kind: Any = column.column.type
    member = kind.dialect_impl(dialect).result_processor(dialect, None)
    if member is None or not isinstance(kind, sa.Enum):
        return member  # type: ignore[no-any-return]
    values = {text: getattr(member(text), "value", text) for text in kind.enums}
    plain = all(isinstance(value, str | int) for value in values.values())
    return values.__getitem__ if plain else member


def _sqlite_decimal(column: ColumnFacts) -> Converter:
    kind = column.column.type
    if not isinstance(kind, ExactDecimal):
        return _NO_SHORT_WAY
    exponent = -kind.scale
    return lambda scaled: number(Decimal(scaled).scaleb(exponent))


def _sqlite_uuid(column: ColumnFacts) -> Converter:
    return lambda text: f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_SHORT: Mapping[tuple[str, Kind], Callable[[ColumnFacts], Converter | None]] = {
    ("sqlite", Kind.JSON): _sqlite_json,
    ("sqlite", Kind.DATETIME): _sqlite_time,
    ("sqlite", Kind.DECIMAL): _sqlite_decimal,
    ("sqlite", Kind.UUID): _sqlite_uuid,
    ("sqlite", Kind.BOOLEAN): lambda _: bool,
    # SQLAlchemy has asyncpg decode documents on each of the pool's connections, before anybody sees their text.
    ("postgresql", Kind.JSON): lambda _: None,
    ("postgresql", Kind.UUID): lambda _: str,
    # asyncpg gives aware times in UTC and exact decimals: nothing is left to do. Times as text would spare Python
    # 0.5 us each, and cost PostgreSQL, which is as busy, two to three times as much.
    ("postgresql", Kind.DATETIME): lambda _: None,
    ("postgresql", Kind.DECIMAL): lambda _: None,
    # SQLAlchemy's own processor wants to be told by which of PostgreSQL's types a row came.
    ("postgresql", Kind.FLOAT): lambda _: None,
    ("mysql", Kind.JSON): _json,
    ("mysql", Kind.BOOLEAN): lambda _: bool,
    ("mariadb", Kind.JSON): _json,
    ("mariadb", Kind.BOOLEAN): lambda _: bool,
}


WRITTEN_OUT: Mapping[Converter, str] = {
    _rfc3339: '{0}.replace(" ", "T") + "Z" if ".000000" not in {0} else {0}[:10] + "T" + {0}[11:19] + "Z"',
    bool: "True if {0} else False",
}
"""What some converters do, as expressions for a shaper to have in its own text: calling them takes longer than doing it."""


def key_converter_of(column: ColumnFacts, dialect: sa.Dialect) -> Converter:
    """Choose how a key that a driver gave becomes one that can be bound again: a UUID that SQLite keeps as text, say."""
    if dialect.name == "postgresql" and column.kind in {Kind.FLOAT, Kind.DECIMAL}:
        return _same  # as above
    processor: Converter | None = column.column.type.dialect_impl(dialect).result_processor(dialect, None)
    return processor or _same


def _same(value: object) -> object:
    return value
