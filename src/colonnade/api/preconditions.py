"""Conditional requests (RFC 9110 §13): the headers read, the answers 304 and 412, and what OpenAPI says of them."""

from __future__ import annotations

import re
from typing import Any

from starlette.types import Scope

from colonnade.api.reply import Reply, document_reply
from colonnade.core.errors import MalformedHeaderError, PreconditionFailedError
from colonnade.query.precondition import UNCONDITIONAL, EntityTags, Precondition
from colonnade.services.document import Document

# One element of a list (RFC 9110 §5.6.1, §8.8.3), empty ones too, and the comma that ends it.
_ELEMENT = re.compile(r'(?:[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*|[ \t]*)(?:,|\Z)')

_NAMES = (b"if-match", b"if-none-match")


def read_precondition(scope: Scope, version: int | None = None) -> Precondition:
    """Read what a request demands of the row that it is about.

    Args:
        scope: of the request; its headers count.
        version: that the body names.

    Raises:
        MalformedHeaderError: CLN102, a header that is not a list of entity tags.
    """
    found = _sent(scope)
    if not found and version is None:
        return UNCONDITIONAL
    match, none_match = (found.get(name) for name in _NAMES)
    return Precondition(
        None if match is None else parse_tags("If-Match", match),
        None if none_match is None else parse_tags("If-None-Match", none_match),
        version,
    )


def _sent(scope: Scope) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _NAMES:
            # Two lines of one list are one list (RFC 9110 §5.3).
            found[name] = found[name] + b"," + value if name in found else value
    return found


def parse_tags(header: str, value: bytes) -> EntityTags:
    """Read `*` or a list of entity tags.

    Raises:
        MalformedHeaderError: CLN102.
    """
    text = value.decode("latin-1").strip(" \t")
    if text == "*":
        return EntityTags(any=True)
    strong: set[str] = set()
    weak: set[str] = set()
    at = 0
    while at < len(text):
        element = _ELEMENT.match(text, at)
        if element is None:
            raise _malformed(header)
        if element[2] is not None:
            (weak if element[1] else strong).add(element[2])
        at = element.end()
    if not strong and not weak:
        raise _malformed(header)
    return EntityTags(strong=frozenset(strong), weak=frozenset(weak))


def _malformed(header: str) -> MalformedHeaderError:
    return MalformedHeaderError(f"'{header}' must be '*' or a comma list of entity tags, each in double quotes.")


def conditional_reply(document: Document, precondition: Precondition) -> Reply:
    """Answer a row that was read under a condition: 304 without a body to a client that has it already.

    Raises:
        PreconditionFailedError: CLN431, `If-Match` names other ones; a view has a weak tag, which is like none.
    """
    wanted, known = precondition.match, precondition.none_match
    if wanted is not None and not wanted.any and not (document.whole and wanted.match_strongly(document.state)):
        raise PreconditionFailedError("What would be answered is not what 'If-Match' demands.")
    if known is not None and known.match_weakly(document.tag):
        return Reply(304, ((b"etag", document.entity_tag),))
    return document_reply(200, document)


_TAG = r'(W/)?"[!#-~]*"'
_PATTERN = rf"^(\*|{_TAG}(, ?{_TAG})*)$"
"""What OpenAPI says of such a header; the reader takes what else RFC 9110 allows, too."""


def read_headers() -> list[dict[str, Any]]:
    """Describe the headers of a conditional read."""
    return [
        _header("If-None-Match", "Entity tags that the client has; 304 when the row still has one of them."),
        _header("If-Match", "The entity tag that the row must still have, or 412."),
    ]


def change_headers(required: bool) -> list[dict[str, Any]]:
    """Describe the header of a conditional change."""
    instead = " This, or `version` in the body, is required." if required else ""
    return [_header("If-Match", f"The entity tag that the row must still have, or 412.{instead}")]


def _header(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": _PATTERN, "examples": ['"3"']}
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}
