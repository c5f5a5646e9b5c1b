"""Problem documents (RFC 9457): the one place where an error becomes an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError
from starlette.types import Scope

from colonnade.core.errors import Fault, InvalidBodyError, ProblemError
from colonnade.core.json import dump_json, escape_pointer

MEDIA_TYPE = "application/problem+json"
MAX_FAULTS = 50
"""Faults that one problem lists; a body of a megabyte can have eighty thousand."""
MAX_INSTANCE = 1_000
NAMED, MAX_PLACE = 3, 100
"""Places that a detail names, and how much of each: a field that there is not can have any name."""

RawHeaders = list[tuple[bytes, bytes]]


class ProblemFault(BaseModel):
    """One thing that is wrong with the request, and where."""

    pointer: str | None = Field(None, description="JSON Pointer into the body", examples=["/price"])
    parameter: str | None = Field(None, description="Name of the parameter")
    code: str
    message: str


class Problem(BaseModel):
    """A refusal or a failure, as RFC 9457 words it."""

    type: str = Field(description="The page about this error", examples=["/errors/CLN400"])
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="Stable; never given to another error", examples=["CLN400"])
    request_id: str | None = None
    errors: list[ProblemFault] | None = None


PROBLEM_CONTENT: Mapping[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
"""What OpenAPI says of a refusal, by reference.

Of a model FastAPI makes a validator for each status of each route: three quarters of an application's first request.
"""


def problem_response(error: ProblemError, scope: Scope) -> tuple[int, RawHeaders, bytes]:
    """Make the answer of an error.

    Args:
        error: what happened.
        scope: of the request; its path and id stand in the document.

    Returns:
        Status, raw headers, body.
    """
    document: dict[str, Any] = {
        "type": _type(error, scope),
        "title": error.title,
        "status": error.status,
        "detail": _detail(error),
        "instance": quote(scope.get("path", ""), errors="replace")[:MAX_INSTANCE],
        "code": error.code,
    }
    document |= error.members
    if request_id := scope.get("state", {}).get("request_id"):
        document["request_id"] = request_id
    if error.faults:
        document["errors"] = [fault.as_dict() for fault in error.faults[:MAX_FAULTS]]
    body = dump_json(_encodable(document))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()]
    return error.status, headers, body


def _detail(error: ProblemError) -> str:
    """Say of a body that does not fit where it does not, for who reads no further: `errors` has all places, and why."""
    places = [fault.pointer[:MAX_PLACE] for fault in error.faults[:MAX_FAULTS] if fault.pointer]
    if not places or not isinstance(error, InvalidBodyError):
        return error.detail
    found = list(dict.fromkeys(places))
    more = " and others" if len(found) > NAMED or len(error.faults) > MAX_FAULTS else ""
    return f"{error.detail.removesuffix('.')}: {', '.join(found[:NAMED])}{more}."


def _type(error: ProblemError, scope: Scope) -> str:
    """Name the page about an error; those that this library does not know of have none (RFC 9457 §4.2.1)."""
    return f"{scope.get('root_path', '')}/errors/{error.code}" if error.code.startswith("CLN") else "about:blank"


def _encodable(value: Any) -> Any:
    """Replace lone surrogates, which a path or a field's name may bring along and UTF-8 has no bytes for."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def invalid_body(error: ValidationError, value: object, at: str = "") -> InvalidBodyError:
    """Tell what Pydantic found, each place as a JSON Pointer; never the rejected value, which may be a password.

    Args:
        error: of one value.
        value: as it was sent.
        at: JSON Pointer of that value in the body.
    """
    faults = [
        Fault(
            item["type"],
            item["msg"],
            pointer=at + "".join(f"/{escape_pointer(str(part))}" for part in _place(item, value)),
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return InvalidBodyError("The body does not fit.", faults=faults)


def _place(item: Any, value: Any) -> Iterator[str | int]:
    """Give the way to a fault in the body itself: Pydantic names the alternatives of a union on it, too."""
    for part in item["loc"]:
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if inside:
            value = value[part]
            yield part
    if item["type"] == "missing":
        yield item["loc"][-1]
