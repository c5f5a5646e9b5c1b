"""Cursors: the place where a walk through a list stands, as a sealed text that only the same list takes back.

A place is the values of the order's keys in the last row that was given, never an offset: rows that come or go elsewhere
move nobody's place. Cursors end nothing and grant nothing; the seal keeps clients from building on what is inside (AIP-158)
and tells another list's cursor from this one's.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from colonnade.core.errors import MalformedQueryError
from colonnade.core.sealing import Seal, UnsealableError
from colonnade.models.facts import Kind, TableFacts
from colonnade.query.operators import OPERATORS_OF
from colonnade.query.order import OrderKey, order_keys
from colonnade.query.refusals import refuse_parameter
from colonnade.query.request import ReadRequest, Walk
from colonnade.query.values import UnreadableError, read_value


def open_walk(facts: TableFacts, request: ReadRequest, seal: Seal) -> ReadRequest:
    """Find the place at which a request's walk stands.

    Args:
        facts: of the listed table.
        request: with a walk, and with every condition that it will have.
        seal: of the application.

    Raises:
        MalformedQueryError: CLN100, the cursor is none of this list's, or was changed.
        InvalidParameterError: CLN200, the rows are sorted by a column whose values can't be compared.
    """
    assert request.walk is not None  # asked for by the caller
    keys = order_keys(facts, request.sort)
    if incomparable := [key.column.key for key in keys if "eq" not in OPERATORS_OF[key.column.kind]]:
        refuse_parameter("cursor", "sort_incomparable", f"A list sorted by {incomparable[0]} can't be walked through.")
    scope = _scope(facts, request, keys)
    after = _read(keys, request.walk.cursor, seal, scope) if request.walk.cursor else None
    return replace(request, walk=replace(request.walk, seal=seal, scope=scope, after=after))


def next_cursor(walk: Walk, keys: Sequence[OrderKey], values: Iterable[object]) -> str:
    """Write the cursor that leads on from a row.

    Args:
        walk: as `open_walk` gave it.
        keys: of its order.
        values: of the keys in that row, as Python knows them.
    """
    assert walk.seal is not None  # open_walk set it
    texts = [_write(value) for _, value in zip(keys, values, strict=True)]
    return walk.seal.close(orjson.dumps(texts), walk.scope)


def _scope(facts: TableFacts, request: ReadRequest, keys: Sequence[OrderKey]) -> bytes:
    """Name the list: the table, what it is narrowed to in whatever sequence that was said, and its order."""
    narrowed = sorted(repr(condition) for condition in request.conditions)
    order = [(key.column.key, key.descending) for key in keys]
    return f"cursor {facts.table.fullname} {request.view.deleted} {narrowed} {order}".encode()


def _read(keys: Sequence[OrderKey], cursor: str, seal: Seal, scope: bytes) -> tuple[object, ...]:
    try:
        texts = orjson.loads(seal.open(cursor, scope))
        return tuple(
            None if text is None else float(text) if key.column.kind is Kind.FLOAT else read_value(key.column, text)
            for key, text in zip(keys, texts, strict=True)
        )
    except (UnsealableError, UnreadableError, ValueError):
        _refuse()


def _refuse() -> NoReturn:
    raise MalformedQueryError(
        "The cursor belongs to another list, filter or order, or was changed; begin again with an empty 'cursor='."
    ) from None


def _write(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, enum.Enum):
        value = value.value
    return next((write(value) for type_, write in _WRITERS.items() if isinstance(value, type_)), str(value))


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    float: repr,
    Decimal: lambda value: format(value, "f"),
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
}
