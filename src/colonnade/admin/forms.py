"""From what a form sent to a body, and from a refusal to what stands beside the fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from starlette.exceptions import HTTPException
from starlette_admin.exceptions import FormValidationError

from colonnade.core.errors import AccessError, NotFoundError, ProblemError, ServerError
from colonnade.models.facts import ColumnFacts, TableFacts

WHOLE = "__all__"
"""Where a refusal stands that is about no field of the form."""


def body_of(data: Mapping[str, Any], facts: TableFacts) -> dict[str, Any]:
    """Write a form's values as JSON has them: an empty field of a column that may be NULL is null."""
    return {key: _wire(value, key, facts) for key, value in data.items()}


def changes(data: Mapping[str, Any], stored: Mapping[str, Any], facts: TableFacts) -> dict[str, Any]:
    """Take from a form what differs from the row: only that is sent, so that nobody needs leave for what he left alone."""
    body = body_of(data, facts)
    return {key: value for key, value in body.items() if value != _wire(stored.get(key), key, facts)}


def _wire(value: Any, key: str, facts: TableFacts) -> Any:
    column = facts.columns.get(key)
    if isinstance(value, str):
        return _text(value, column)
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _text(value: str, column: ColumnFacts | None) -> Any:
    if value == "" and (column is None or column.nullable):
        return None
    if column is not None and column.python_type is int and value.isascii() and value.isdigit():
        return int(value)
    return value.replace("\r\n", "\n")  # what a browser makes of a line break in a form


def refused(error: ProblemError, known: frozenset[str]) -> Exception:
    """Turn a refusal into what the page shows: beside the fields, above the form, or as a page of its own.

    Args:
        error: the refusal.
        known: fields of the form.
    """
    if isinstance(error, AccessError | NotFoundError | ServerError):
        return HTTPException(error.status, error.detail)
    found: dict[str | int, Any] = {}
    for fault in error.faults:
        field = (fault.pointer or "").lstrip("/").partition("/")[0]
        found.setdefault(field if field in known else WHOLE, fault.message)
    if WHOLE not in found and not found.keys() & known:
        found[WHOLE] = error.detail
    return FormValidationError(found)
