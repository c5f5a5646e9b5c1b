"""The page's filters as the wire's: each field offers those of its operators that the resource allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from starlette_admin.filters import BaseFilter, FilterGroup, FilterRule, boolean, enum, generic, numeric, string
from starlette_admin.filters import date as dates

from colonnade.models.facts import Kind
from colonnade.query.filters import Filter


def _told(base: Any) -> type[BaseFilter]:
    """Make a filter of the library's usable: it is written into the wire's `filter=`, and applied by nobody here."""

    def apply(self: object, *_: object) -> NoReturn:
        raise NotImplementedError("the resource's list applies its filters")

    return type(base.__name__, (base,), {"apply": apply})


_NULLS = [_told(generic.IsNullFilter), _told(generic.IsNotNullFilter)]
_NUMBERS = [
    _told(numeric.EqualFilter),
    _told(numeric.NotEqualFilter),
    _told(numeric.GreaterThanFilter),
    _told(numeric.GreaterThanOrEqualFilter),
    _told(numeric.LessThanFilter),
    _told(numeric.LessThanOrEqualFilter),
    _told(numeric.BetweenFilter),
    *_NULLS,
]
_TEXTS = [
    _told(string.ContainsFilter),
    _told(string.StartsWithFilter),
    _told(string.EndsWithFilter),
    _told(generic.EqualFilter),
    _told(generic.NotEqualFilter),
    *_NULLS,
]
_OFFERED: Mapping[Kind, list[type[BaseFilter]]] = {
    Kind.TEXT: _TEXTS,
    Kind.INTEGER: _NUMBERS,
    Kind.DECIMAL: _NUMBERS,
    Kind.FLOAT: _NUMBERS,
    Kind.BOOLEAN: [_told(boolean.IsTrueFilter), _told(boolean.IsFalseFilter)],
    Kind.ENUM: [_told(enum.InFilter), _told(enum.NotInFilter)],
    Kind.DATETIME: [_told(dates.DateTimeBetweenFilter), *_NULLS],
    Kind.DATE: [_told(dates.DateBetweenFilter), *_NULLS],
}

_LEAVES: Mapping[str, Callable[[str, Any, Any], dict[str, Any]]] = {
    "eq": lambda field, value, _: {field: value},
    "neq": lambda field, value, _: {f"{field}__ne": value},
    "gt": lambda field, value, _: {f"{field}__gt": value},
    "gte": lambda field, value, _: {f"{field}__gte": value},
    "lt": lambda field, value, _: {f"{field}__lt": value},
    "lte": lambda field, value, _: {f"{field}__lte": value},
    "between": lambda field, value, second: {f"{field}__between": [value, second]},
    "contains": lambda field, value, _: {f"{field}__icontains": value},
    "startswith": lambda field, value, _: {f"{field}__istartswith": value},
    "endswith": lambda field, value, _: {f"{field}__endswith": value},
    "in": lambda field, value, _: {f"{field}__in": value},
    "not_in": lambda field, value, _: {f"{field}__nin": value},
    "is_null": lambda field, *_: {f"{field}__isnull": True},
    "is_not_null": lambda field, *_: {f"{field}__isnull": False},
    "is_true": lambda field, *_: {field: True},
    "is_false": lambda field, *_: {field: False},
}


def offered(name: str, kind: Kind, filters: Mapping[str, Filter]) -> list[type[BaseFilter]]:
    """Give the filters of a field; none where the resource declares none of it."""
    return _OFFERED.get(kind, []) if f"{name}__isnull" in filters else []


def tree_of(group: FilterGroup) -> dict[str, Any]:
    """Write the page's filter as the wire's `filter=` has it."""
    return {group.logic: [_part(rule) for rule in group.rules]}


def _part(rule: FilterGroup | FilterRule) -> dict[str, Any]:
    if isinstance(rule, FilterGroup):
        return tree_of(rule)
    return _LEAVES[rule.filter](rule.field, _wire(rule.value), _wire(rule.value2))


def _wire(value: Any) -> Any:
    """Write a value as JSON has it; a time without a zone is in UTC."""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z" if value.tzinfo is None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_wire(item) for item in value]
    return Decimal(repr(value)) if isinstance(value, float) else value
