"""Reading JSON by a schema strictly: no kind of value is taken for another (`true` for 1, `"off"` for false, `"5"` for 5).

Pydantic's strict mode knows how JSON writes a time or a UUID only where it parses the text itself, and there it loses what a
decimal has more than a double. Here the text is parsed already, so the same rule is laid around each leaf of the schema: the
kinds of JSON that it may be written in. Whatever a schema says of its own strictness holds: `Field(strict=False)`, and the
same in its configuration, leave a field or a model as lax as Pydantic is; what a `BeforeValidator` looks at is its affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic_core import PydanticCustomError, SchemaValidator, core_schema

Node: TypeAlias = "dict[str, Any]"
Check: TypeAlias = "Callable[[Any], Any]"

_ALL_DIGITS = re.compile(r"\s*[+-]?[0-9.]+(e[+-]?[0-9]+)?\s*", re.IGNORECASE)


def _refuse_kinds(name: str, *kinds: type) -> Check:
    """Make a check that refuses values of some kinds; `bool` is named by itself, though it is an `int` to Python.

    Args:
        name: of what is expected, for the client.
        kinds: as `parse_json` gives them: `bool`, `int`, `Decimal`, `str`, ...
    """
    code, message = f"{name.replace(' ', '_')}_expected", f"Expected {name}."

    def check(value: Any) -> Any:
        if isinstance(value, kinds):
            raise PydanticCustomError(code, message)
        return value

    return check


_whole = _refuse_kinds("a whole number", bool, str)
_number = _refuse_kinds("a number", bool, str)
_decimal = _refuse_kinds("a decimal number", bool)
_boolean = _refuse_kinds("true or false", int, str, Decimal)
_uuid = _refuse_kinds("a UUID", bool, int, Decimal)


def _truth(value: Any) -> Any:
    """Refuse whatever is neither true nor false."""
    return value if isinstance(value, bool) else _boolean(value)


def _moment(value: Any) -> Any:
    """Refuse a count of seconds for a date, a time or a duration, written as a number or as a text of digits."""
    if isinstance(value, int | Decimal) or (isinstance(value, str) and _ALL_DIGITS.fullmatch(value)):
        raise PydanticCustomError("a_time_expected", "Expected a time, not a count of seconds.")
    return value


_CHECKS: Mapping[str, Check] = {
    "bool": _truth,
    "int": _whole,
    "float": _number,
    "decimal": _decimal,
    "datetime": _moment,
    "date": _moment,
    "time": _moment,
    "timedelta": _moment,
    "uuid": _uuid,
}
_FROM_OTHERS = frozenset({"model", "dataclass", "typed-dict", "set", "frozenset", "tuple", "bytes", "lax-or-strict"})
"""Nodes that JSON writes as an object, a list or a text, which Pydantic's strict mode takes from JSON text only."""

_NO_NODES = frozenset({"metadata", "serialization", "cls", "config", "default", "members", "expected", "function"})
_USERS_OWN = frozenset({"function-before", "function-wrap", "function-plain"})
_OF_MODELS = frozenset({"model", "model-fields", "dataclass", "dataclass-args", "typed-dict", "definition-ref"})


@cache
def json_validator(schema: type[BaseModel]) -> SchemaValidator:
    """Make what reads a parsed JSON value by a schema, strictly, and gives an instance of it.

    Args:
        schema: a user's own, or a derived one.
    """
    return _validator(_strict_schema(schema))


@cache
def json_list_validator(schema: type[BaseModel]) -> SchemaValidator:
    """Make what reads a list of them."""
    items = _strict_schema(schema)
    if items["type"] == "definitions":
        return _validator({**items, "schema": core_schema.list_schema(items["schema"])})
    return _validator(core_schema.list_schema(items))


def _validator(schema: Any) -> SchemaValidator:
    # The last argument has it made of this schema: else Pydantic takes the validator that each class in it has already.
    return SchemaValidator(schema, None, False)


def _strict_schema(schema: type[BaseModel]) -> Any:
    schema.model_rebuild()  # where it was declared before what its annotations name
    return _strict(schema.__pydantic_core_schema__)


def _strict(node: Any) -> Any:
    """Copy a part of a core schema with the checks in it; a part that is not to be strict stays as it is."""
    if isinstance(node, list | tuple):
        return type(node)(_strict(item) for item in node)
    if not isinstance(node, dict) or _is_lax(node):
        return node
    if not isinstance(node.get("type"), str):  # a mapping of fields by name, which may be any
        return {key: _strict(value) for key, value in node.items()}
    return _checked({key: value if key in _NO_NODES else _strict(value) for key, value in node.items()})


def _is_lax(node: Node) -> bool:
    if node.get("type") in _USERS_OWN:
        return node.get("schema", {}).get("type") not in _OF_MODELS
    return node.get("type") in _OF_MODELS and (node.get("config") or {}).get("strict") is False


def _checked(node: Node) -> Any:
    kind = node["type"]
    if kind in _FROM_OTHERS:
        return {**node, "strict": False}
    check = _choices(node) if kind in {"enum", "literal"} else _CHECKS.get(kind)
    if check is None or node.get("strict") is False:
        return node
    # The reference is the whole's, with its check: what refers to it is checked as well.
    outer = {"ref": node.pop("ref")} if "ref" in node else {}
    inner: Any = node if kind == "literal" else {**node, "strict": False}
    return {**core_schema.no_info_before_validator_function(check, inner), **outer}


def _choices(node: Node) -> Check:
    """Have a choice be of the kind of one of those there are: `true` is not the member, or the literal, that is 1."""
    choices = [getattr(choice, "value", choice) for choice in node.get("members") or node["expected"]]
    kinds = {type(choice) for choice in choices}
    if float in kinds:
        kinds |= {int, Decimal}

    def check(value: Any) -> Any:
        if isinstance(value, bool | int | Decimal | str) and type(value) not in kinds:
            raise PydanticCustomError("enum_expected", "Expected one of its values.")
        return value

    return check
