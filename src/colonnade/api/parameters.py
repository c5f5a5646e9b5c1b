"""What OpenAPI says of a resource's parameters: each filter typed, each choice listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from colonnade.models.facts import ColumnFacts, Kind
from colonnade.query.boolean import MAX_CONDITIONS, MAX_DEPTH
from colonnade.query.filters import Filter
from colonnade.query.operators import LISTS
from colonnade.query.paging import MAX_OFFSET, MAX_PAGE
from colonnade.query.parse import COUNTS, ListRules, ViewRules
from colonnade.query.search import MAX_SEARCH
from colonnade.query.values import enum_texts
from colonnade.schemas.derive import TIME_PATTERN

_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.INTEGER: {"type": "integer"},
    Kind.TEXT: {"type": "string"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.FLOAT: {"type": "number"},
    Kind.DECIMAL: {"type": "number"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIME: {"type": "string", "pattern": TIME_PATTERN},
    Kind.UUID: {"type": "string", "format": "uuid"},
}

_MEANINGS = {
    "eq": "equals",
    "ne": "differs from",
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is greater than",
    "gte": "is at least",
    "in": "is one of (comma list, at most 200)",
    "nin": "is none of (comma list, at most 200)",
    "between": "lies between two values, both included (comma list)",
    "isnull": "is null",
    "contains": "contains",
    "icontains": "contains, without regard to case",
    "startswith": "starts with",
    "istartswith": "starts with, without regard to case",
    "endswith": "ends with",
}


def id_parameter(column: ColumnFacts) -> dict[str, Any]:
    """Describe the id in a path."""
    schema = value_schema(column)
    if column.kind is Kind.INTEGER and column.bounds is not None:
        schema |= {"minimum": 1, "maximum": column.bounds[1]}
    return {"name": "id", "in": "path", "required": True, "schema": schema}


# Without `default`: Swagger UI would send each of them, and two ways of paging at once are refused.
_SIZE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}
_OFFSET: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET}


def list_parameters(rules: ListRules) -> list[dict[str, Any]]:
    """Describe every parameter of a list."""
    sorts = sorted(rules.sorts)
    fixed = [
        _query("page", {"type": "integer", "minimum": 1}, "Which page; the first if not said"),
        _query("page_size", _SIZE, f"Rows of a page; {rules.page_size} if not said"),
        _query("skip", _OFFSET, "Rows to pass over, instead of `page`"),
        _query("offset", _OFFSET, "Another name of `skip`"),
        _query("limit", _SIZE, "Rows to give, with `skip` or `cursor`; 100 if not said"),
        _query(
            "cursor", {"type": "string"}, "Empty to begin a walk through all rows, then each answer's `next_cursor`"
        ),
        _query(
            "count",
            {"type": "string", "enum": list(COUNTS)},
            "Whether to count all rows; `exact`, with `cursor` `none`",
        ),
    ]
    if sorts:
        keys = {"type": "string", "examples": [f"-{sorts[0]}"]}
        fixed += [
            _query("sort", keys, f"Comma list of fields, `-` for descending: {', '.join(sorts)}"),
            _query("sort_by", {"type": "string", "enum": sorts}, "One field to sort by"),
            _query("order", {"type": "string", "enum": ["desc", "asc"]}, "Direction of `sort_by`; `desc` if not said"),
        ]
    filters = [_filter(name, rule) for name, rule in rules.filters.items()]
    return [*fixed, *_trees(rules), *view_parameters(rules.view), *filters]


def _trees(rules: ListRules) -> Iterator[dict[str, Any]]:
    """Describe the boolean filter and the search, where there are any."""
    if rules.search:
        what = "Words to look for, all of them," if rules.words else "Text to look for"
        words = f"{what} in {', '.join(rules.search)}; literal, without regard to case"
        yield _query("q", {"type": "string", "minLength": 1, "maxLength": MAX_SEARCH}, words)
    if rules.filters:
        groups = {"type": "array", "minItems": 1, "items": {"type": "object"}}
        members = {"and": groups, "or": groups, "not": {"type": "object"}}
        members |= {name: _member(rule) for name, rule in rules.filters.items()}
        schema = {"type": "object", "minProperties": 1, "properties": members, "additionalProperties": False}
        words = f"Filters joined by `and`, `or` and `not`, at most {MAX_DEPTH} deep and {MAX_CONDITIONS} in all"
        example = ", ".join(f'{{"{name}": ...}}' for name in sorted(rules.filters)[:2])
        yield {
            "name": "filter",
            "in": "query",
            "required": False,
            "content": {"application/json": {"schema": schema}},
            "description": f'{words}, as JSON: `{{"or": [{example}]}}`',
        }


def _member(rule: Filter) -> dict[str, Any]:
    schema = _schema(rule)
    return schema if rule.operator not in LISTS else {"type": "array", "items": value_schema(rule.column)}


def view_parameters(rules: ViewRules) -> list[dict[str, Any]]:
    """Describe how much of a row may be asked for."""
    keys, includes = sorted(rules.keys), sorted(rules.includes)
    shown = [
        _query("fields", {"type": "string", "examples": [",".join(keys[:2])]}, f"Comma list of: {', '.join(keys)}")
    ]
    if includes:
        schema = {"type": "string", "examples": [includes[0]]}
        shown.append(_query("include", schema, f"Comma list of relations to show: {', '.join(includes)}"))
    if rules.deleted:
        schema = {"type": "string", "enum": ["include", "only"]}
        shown.append(_query("deleted", schema, "Show rows that were deleted softly, too or only"))
    return shown


def permanent_parameter() -> dict[str, Any]:
    """Describe the switch of a deletion for good."""
    return _query("permanent", {"type": "boolean", "default": False}, "Delete for good, not softly")


def value_schema(column: ColumnFacts) -> dict[str, Any]:
    """Give the JSON Schema of a column's value in a query or path."""
    if column.kind is Kind.ENUM:
        return {"type": "string", "enum": enum_texts(column)}
    return dict(_TYPES.get(column.kind, {"type": "string"}))


def _filter(name: str, rule: Filter) -> dict[str, Any]:
    return _query(name, _schema(rule), f"`{rule.field}` {_MEANINGS[rule.operator]}")


def _schema(rule: Filter) -> dict[str, Any]:
    if rule.operator == "isnull":
        return {"type": "boolean"}
    return {"type": "string"} if rule.operator in LISTS else value_schema(rule.column)


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
