"""References in a batch: `{"$ref": "order.id"}` in a body, `{order.id}` in a path, to what earlier operations answered."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from colonnade.core.errors import BodyTooLargeError, Fault, InvalidBodyError
from colonnade.core.json import dump_json, escape_pointer

_IN_PATH = re.compile(r"\{([^{}]*)\}")


class References:
    """What the references of one batch may stand for, and how much of it all together.

    A few bytes stand for as much as an operation answered, each time that they are written: what they expand to is counted
    before it is put in, so that no request becomes much larger than what a client may send.

    Args:
        room: bytes of JSON that all of them together may stand for.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._results: dict[str, Any] = {}

    def add(self, operation: str, result: Any) -> None:
        """Note the body that an operation answered; parsed JSON."""
        self._results[operation] = result

    def resolve(self, value: Any, at: str) -> Any:
        """Replace every reference inside a JSON value.

        Args:
            value: parsed JSON; not altered.
            at: JSON Pointer of the value.

        Raises:
            InvalidBodyError: CLN201, a reference leads nowhere.
            BodyTooLargeError: CLN120, the references stand for too much.
        """
        if isinstance(value, dict):
            if value.keys() == {"$ref"}:
                return self._look_up(value["$ref"], at)
            return {key: self.resolve(item, f"{at}/{escape_pointer(key)}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, f"{at}/{index}") for index, item in enumerate(value)]
        return value

    def resolve_path(self, path: str, at: str) -> str:
        """Replace every reference inside a path; what it stands for is escaped, so that it stays one segment.

        Raises:
            InvalidBodyError: CLN201.
            BodyTooLargeError: CLN120.
        """
        return _IN_PATH.sub(lambda found: quote(str(self._look_up(found[1], at)), safe=""), path)

    def _look_up(self, reference: object, at: str) -> Any:
        operation, *members = reference.split(".") if isinstance(reference, str) else [""]
        found: Any = self._results.get(operation, _NOTHING) if members else _NOTHING
        for member in members:
            found = _member(found, member)
        if found is _NOTHING:
            fault = Fault(
                "reference_unknown", "Expected '<id of an earlier operation>.<member of its result>'.", pointer=at
            )
            raise InvalidBodyError("A reference leads nowhere.", faults=[fault])
        self._room -= len(dump_json(found))
        if self._room < 0:
            fault = Fault("references_too_large", "Refer to single members of a result, such as its id.", pointer=at)
            raise BodyTooLargeError("The references of the batch stand for too much.", faults=[fault])
        return found


_NOTHING = object()


def _member(value: Any, name: str) -> Any:
    """Give a member of an object by its key, or of a list by its index."""
    if isinstance(value, dict):
        return value.get(name, _NOTHING)
    is_index = isinstance(value, list) and name.isascii() and name.isdigit()
    return value[int(name)] if is_index and int(name) < len(value) else _NOTHING
