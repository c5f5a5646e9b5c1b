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


def _look_up(reference: object, results: Mapping[str, Any], at: str) -> Any:
    operation, *members = reference.split(".") if isinstance(reference, str) else [""]
    found: Any = results.get(operation)
    for member in members:
        if isinstance(found, list) and member.isascii() and member.isdigit() and int(member) < len(found):
            found = found[int(member)]
        elif isinstance(found, dict) and member in found:
            found = found[member]
        else:
            found = None
            break
    if operation not in results or not members or found is None:
        fault = Fault(
            "reference_unknown", "Expected '<id of an earlier operation>.<member of its result>'.", pointer=at
        )
        raise InvalidBodyError("A reference leads nowhere.", faults=[fault])
    return found
