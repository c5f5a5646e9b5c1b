"""Keeping secrets out of the log, whoever writes it."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "********"

_DEPTH = 16  # levels that are looked into; a list that holds itself has no end

_SECRET_NAME = re.compile(r"passw|secret|token|authorization|cookie|api_?key|hash(ed)?$|credential", re.IGNORECASE)
# A URL's credentials, and what a header or a form would carry.
_IN_TEXT = (
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)"), rf"\1:{MASK}"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(r"(?i)\b(password|passwd|secret|token|api_?key)(['\"]?\s*[=:]\s*)(['\"]?)[^\s'\",;&]+"),
        rf"\1\2\3{MASK}",
    ),
)


def redact(text: str) -> str:
    """Mask what looks like a secret inside a text: credentials in a URL, a bearer token, `password=...`."""
    for pattern, masked in _IN_TEXT:
        text = pattern.sub(masked, text)
    return text


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask the values of an event whose names say that they are secret, and secrets inside its texts (structlog)."""
    for name, value in event.items():
        if name.startswith("_"):
            continue
        if name not in {"event", "exception"} and _SECRET_NAME.search(name):
            event[name] = MASK
        else:
            event[name] = _hidden(value, _DEPTH)
    return event


def _hidden(value: Any, depth: int) -> Any:
    match value:
        case str():
            return redact(value)
        case dict() | list() | tuple() | set() | frozenset() if depth == 0:
            return MASK
        case dict():
            return {str(key): _hidden_by(str(key), item, depth - 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hidden(item, depth - 1) for item in value]
        case _:
            return value


def _hidden_by(name: str, value: Any, depth: int) -> Any:
    return MASK if _SECRET_NAME.search(name) else _hidden(value, depth)
