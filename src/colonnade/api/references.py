"""References in a batch: `{"$ref": "order.id"}` in a body, `{order.id}` in a path, to what earlier operations answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from colonnade.core.errors import Fault, InvalidBodyError
from colonnade.core.json import escape_pointer

_IN_PATH = re.compile(r"\{([^{}]*)\}")


def resolve(value: Any, results: Mapping[str, Any], at: str) -> Any:
    """Replace every reference inside a JSON value.

    Args:
        value: parsed JSON; not altered.
        results: id of an operation -> the body that it answered.
        at: JSON Pointer of the value.

    Raises:
        InvalidBodyError: CLN201, a reference leads nowhere.
    """
    if isinstance(value, dict):
        if value.keys() == {"$ref"}:
            return _look_up(value["$ref"], results, at)
        return {key: resolve(item, results, f"{at}/{escape_pointer(key)}") for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, results, f"{at}/{index}") for index, item in enumerate(value)]
    return value


def resolve_path(path: str, results: Mapping[str, Any], at: str) -> str:
    """Replace every reference inside a path; what it stands for is escaped, so that it stays one segment.

    Raises:
        InvalidBodyError: CLN201.
    """
    return _IN_PATH.sub(lambda found: quote(str(_look_up(found[1], results, at)), safe=""), path)


_NOTHING = object()


def _look_up(reference: object, results: Mapping[str, Any], at: str) -> Any:
    operation, *members = reference.split(".") if isinstance(reference, str) else [""]
    found: Any = results.get(operation, _NOTHING) if members else _NOTHING
    for member in members:
        found = _member(found, member)
    if found is _NOTHING:
        fault = Fault(
            "reference_unknown", "Expected '<id of an earlier operation>.<member of its result>'.", pointer=at
        )
        raise InvalidBodyError("A reference leads nowhere.", faults=[fault])
    return found


def _member(value: Any, name: str) -> Any:
    """Give a member of an object by its key, or of a list by its index."""
    if isinstance(value, dict):
        return value.get(name, _NOTHING)
    is_index = isinstance(value, list) and name.isascii() and name.isdigit()
    return value[int(name)] if is_index and int(name) < len(value) else _NOTHING
