"""A row as the page handles it: what the operation answered, with times and decimals as Python has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from colonnade.models.facts import Kind, TableFacts

LABELS = ("name", "title", "username", "label", "email")
"""Fields that say to a person which row it is; the first that a row has does."""

_PARSED = {
    Kind.DATETIME: datetime.fromisoformat,
    Kind.DATE: date.fromisoformat,
    Kind.TIME: time.fromisoformat,
}


class Row:
    """One row, by attribute.

    Attributes:
        values: its fields; one that the principal does not see is not among them.
    """

    def __init__(self, values: Mapping[str, Any], facts: TableFacts) -> None:
        self.values = {key: _parsed(value, key, facts) for key, value in values.items()}
        self._name = facts.model.__name__
        self._identity = facts.identity.key

    def __getattr__(self, key: str) -> Any:
        """Give a field; None for one that is not shown."""
        if key.startswith("__"):
            raise AttributeError(key)
        return self.values.get(key)

    @property
    def id(self) -> Any:
        """The key."""
        return self.values[self._identity]

    @property
    def label(self) -> str:
        """Say which row it is."""
        found = next((str(self.values[key]) for key in LABELS if self.values.get(key)), None)
        return f"{self._name} {self.id}" if found is None else found


def _parsed(value: Any, key: str, facts: TableFacts) -> Any:
    column = facts.columns.get(key)
    if value is None or column is None:
        return value
    if column.kind is Kind.DECIMAL and not isinstance(value, Decimal):
        return Decimal(value)
    parse = _PARSED.get(column.kind)
    return parse(value) if parse is not None and isinstance(value, str) else value
