"""Keeping secrets out of the log, whoever writes it."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "********"

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
        elif isinstance(value, str):
            event[name] = redact(value)
        elif isinstance(value, dict):
            event[name] = hide_secrets(None, "", dict(value))
    return event
