"""What OpenAPI says of a resource's parameters: each filter typed, each choice listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from colonnade.models.facts import ColumnFacts, Kind
from colonnade.query.boolean import MAX_CONDITIONS, MAX_DEPTH
from colonnade.query.filters import MAX_VALUES, Filter
from colonnade.query.operators import LISTS
from colonnade.query.paging import MAX_OFFSET, MAX_PAGE
from colonnade.query.parse import COUNTS, MAX_INCLUDES, ListRules, ViewRules
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
    "in": r"is one of these; a comma inside a value is written `\,`",
    "nin": r"is none of these; a comma inside a value is written `\,`",
    "between": "lies between two values, both included",
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
_PAGE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_OFFSET + 1}

# OpenAPI has no words for parameters that exclude each other, so each says it by itself.
_NOT_PAGE = "Not with `page`, `page_size`"
_NOT_OFFSET = "Not with `skip`, `offset`, `limit`"

PAGE_MEMBERS: tuple[tuple[str, Any, str], ...] = (
    ("total", int, "Rows that the filters let through, where they were counted"),
    ("page", int, "With `page`, `page_size`, or no paging parameter"),
    ("page_size", int, "With `page`"),
    ("skip", int, "With `skip`, `offset` or `limit`"),
    ("limit", int, "With `skip`"),
    ("has_more", bool, "With `cursor`: whether another step is worth while"),
    ("next_cursor", str | None, "With `cursor`: where to go on; null at the end"),
)
"""What stands beside the rows of a list: name, type, and with which parameters."""


def list_parameters(rules: ListRules) -> list[dict[str, Any]]:
    """Describe every parameter of a list."""
    return [*_paging(rules), *_sorting(sorted(rules.sorts)), *_rest(rules)]


def _paging(rules: ListRules) -> list[dict[str, Any]]:
    count = "Whether to count all rows; `exact` if not said, with `cursor` `none`"
    return [
        _query("page", _PAGE, f"Which page; the first if not said. {_NOT_OFFSET} or `cursor`"),
        _query("page_size", _SIZE, f"Rows of a page; {rules.page_size} if not said. {_NOT_OFFSET} or `cursor`"),
        _query("skip", _OFFSET, f"Rows to pass over. {_NOT_PAGE}, `offset` or `cursor`"),
        _query("offset", _OFFSET, f"Another name of `skip`. {_NOT_PAGE}, `skip` or `cursor`"),
        _query("limit", _SIZE, f"Rows to give, with `skip` or `cursor`; 100 if not said. {_NOT_PAGE}"),
        _query("cursor", {"type": "string"}, f"{_CURSOR}. {_NOT_PAGE}, `skip` or `offset`"),
        _query("count", {"type": "string", "enum": list(COUNTS)}, count),
    ]


_CURSOR = "Empty to begin a walk through all rows, then each answer's `next_cursor`"


def _sorting(fields: list[str]) -> list[dict[str, Any]]:
    if not fields:
        return []
    keys = [key for field in fields for key in (field, f"-{field}")]
    direction = {"type": "string", "enum": ["desc", "asc"]}
    return [
        _comma_list("sort", _chosen(keys), "Fields to sort by, `-` for descending. Not with `sort_by`, `order`"),
        _query("sort_by", {"type": "string", "enum": fields}, "One field to sort by. Not with `sort`"),
        _query("order", direction, "Direction of `sort_by`; `desc` if not said. Not with `sort`"),
    ]


def _rest(rules: ListRules) -> list[dict[str, Any]]:
    filters = [_filter(name, rule) for name, rule in rules.filters.items()]
    return [*_trees(rules), *view_parameters(rules.view), *filters]


def _trees(rules: ListRules) -> Iterator[dict[str, Any]]:
    """Describe the boolean filter and the search, where there are any."""
    if rules.search:
        what = "Words to look for, all of them, the last one as a beginning," if rules.words else "Text to look for"
        words = f"{what} in {', '.join(rules.search)}; literal, without regard to case"
        yield _query("q", {"type": "string", "minLength": 1, "maxLength": MAX_SEARCH}, words)
    if rules.filters:
        groups = {"type": "array", "minItems": 1, "items": {"type": "object"}}
        members = {"and": groups, "or": groups, "not": {"type": "object"}}
        members |= {name: _schema(rule) for name, rule in rules.filters.items()}
        schema = {"type": "object", "minProperties": 1, "properties": members, "additionalProperties": False}
        words = (
            f"Filters joined by `and`, `or` and `not`, at most {MAX_DEPTH} deep and {MAX_CONDITIONS} in all, "
            f"with {MAX_VALUES} values"
        )
        example = ", ".join(f'{{"{name}": ...}}' for name in sorted(rules.filters)[:2])
        yield {
            "name": "filter",
            "in": "query",
            "required": False,
            "content": {"application/json": {"schema": schema}},
            "description": f'{words}, as JSON: `{{"or": [{example}]}}`',
        }


def view_parameters(rules: ViewRules) -> list[dict[str, Any]]:
    """Describe how much of a row may be asked for."""
    keys, includes = sorted(rules.keys), sorted(rules.includes)
    relations = [path for path in includes if "." not in path]
    shown = [_comma_list("fields", _chosen([*keys, *relations]), "Fields to show, and no others; all if not said")]
    if includes:
        chosen = _chosen(includes) | {"maxItems": MAX_INCLUDES}
        shown.append(_comma_list("include", chosen, "Relations to show beside the row"))
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
    describe = _comma_list if rule.operator in LISTS else _query
    return describe(name, _schema(rule), f"`{rule.field}` {_MEANINGS[rule.operator]}")


def _schema(rule: Filter) -> dict[str, Any]:
    if rule.operator == "isnull":
        return {"type": "boolean"}
    if rule.operator not in LISTS:
        return value_schema(rule.column)
    least, most = LISTS[rule.operator]
    return {"type": "array", "items": value_schema(rule.column), "minItems": least, "maxItems": most}


def _chosen(names: list[str]) -> dict[str, Any]:
    items = {"type": "string", "enum": names}
    return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


def _comma_list(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe a parameter of several values as `a,b`, not as `name=a&name=b`."""
    return {**_query(name, schema, description), "style": "form", "explode": False}


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
