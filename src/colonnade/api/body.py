"""From the body of a request to values: media type, JSON, schema; nothing is looked up yet."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from colonnade.api.problems import MAX_FAULTS, invalid_body
from colonnade.core.errors import Fault, InvalidBodyError, MediaTypeError
from colonnade.core.json import escape_pointer, parse_json
from colonnade.schemas.derive import unset
from colonnade.schemas.json_kinds import json_list_validator, json_validator


async def read_body(receive: Receive) -> bytes:
    """Receive a whole body; its size is the middleware's concern.

    Raises:
        ClientDisconnect: the client went away before its end.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return message.get("body", b"")  # type: ignore[no-any-return]  # nearly every body comes in one piece
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise ClientDisconnect


def require_json(scope: Scope) -> None:
    """Refuse a body that does not say it is JSON: browsers send forms to other sites unasked, JSON they do not.

    PATCH also takes a merge patch (RFC 7396), which is what it means by JSON; a JSON Patch (RFC 6902) is another language.
    A coded body (gzip, ...) is refused: nothing here bounds what it would grow to.

    Raises:
        MediaTypeError: CLN121, with `Accept-Patch` (RFC 5789 §3.1), `Accept` or `Accept-Encoding` (RFC 9110 §15.5.16).
    """
    declared: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"content-type":
            declared.append(value)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise MediaTypeError("The body is coded.", headers={"Accept-Encoding": "identity"})
    if declared != [b"application/json"]:
        _require_media(declared, scope["method"])


def _require_media(declared: Sequence[bytes], method: str) -> None:
    header, taken = ("Accept-Patch", _PATCHES) if method == "PATCH" else ("Accept", _BODIES)
    if len(declared) != 1 or not _is_json(declared[0], taken):
        headers = {header: ", ".join(media.decode() for media in taken)}
        raise MediaTypeError("The body is not declared to be JSON in UTF-8.", headers=headers)


_BODIES = (b"application/json",)
_PATCHES = (b"application/merge-patch+json", b"application/json")
_CHARSET = re.compile(rb';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


def _is_json(declared: bytes, taken: Sequence[bytes]) -> bool:
    media, _, _ = declared.partition(b";")
    # RFC 8259 §8.1: JSON is UTF-8. It knows no such parameter, but what says something else is something else.
    charset = _CHARSET.search(declared)
    return media.strip().lower() in taken and (charset is None or charset[1].lower() == b"utf-8")


def parse_body(schema: type[BaseModel], body: bytes, allowed: Collection[str] | None = None) -> BaseModel:
    """Read a body by a schema.

    Args:
        schema: of the body.
        body: as it came.
        allowed: the fields that its sender may send, as far as that is confined; any other is unknown to it.

    Raises:
        MalformedBodyError: CLN101.
        InvalidBodyError: CLN201, every field that does not fit, unknown ones included.
    """
    return validate_item(schema, parse_json(body), allowed=allowed)


def validate_item(
    schema: type[BaseModel], value: object, at: str = "", allowed: Collection[str] | None = None
) -> BaseModel:
    """Read a parsed value by a schema.

    Args:
        schema: of the value.
        value: as `parse_json` gives it.
        at: JSON Pointer of the value's own place in the body.
        allowed: as for `parse_body`.

    Raises:
        InvalidBodyError: CLN201.
    """
    if not isinstance(value, dict):
        raise InvalidBodyError(
            f"The {'item' if at else 'body'} must be an object.",
            faults=[Fault("object_expected", "An object.", pointer=at)],
        )
    extra = schema.model_config.get("extra", "ignore")
    # Pydantic itself says which fields it forbids, but makes eighty thousand errors of as many fields before we see one.
    too_many = extra == "forbid" and len(value) > len(schema.model_fields) + MAX_FAULTS
    if extra == "ignore" or too_many or allowed is not None:
        _refuse_unknown(schema, value, at, allowed)
    try:
        read: BaseModel = json_validator(schema).validate_python(value)
    except ValidationError as error:
        raise invalid_body(error, value, at) from None
    return read


def validate_items(schema: type[BaseModel], values: Sequence[object]) -> list[BaseModel] | None:
    """Read many values by a schema in one go; None where one of them does not fit, or each has to be looked at."""
    if schema.model_config.get("extra", "ignore") == "ignore" or not all(isinstance(value, dict) for value in values):
        return None
    try:
        read: list[BaseModel] = json_list_validator(schema).validate_python(values)
    except ValidationError:
        return None
    return read


def _refuse_unknown(
    schema: type[BaseModel], value: dict[str, Any], at: str, allowed: Collection[str] | None = None
) -> None:
    """A user's own schema may ignore what it does not know; a client would believe that it was stored.

    One text for a field that there is not, and for one that is not the sender's to send.
    """
    fields = {key: field for key, field in schema.model_fields.items() if allowed is None or key in allowed}
    known = {name for key, field in fields.items() for name in (key, field.alias) if name}
    if unknown := [key for key in value if key not in known]:
        faults = [
            Fault("extra_forbidden", "There is no such field.", pointer=f"{at}/{escape_pointer(key)}")
            for key in unknown[:MAX_FAULTS]
        ]
        raise InvalidBodyError("The body has fields that are not known.", faults=faults)


def sent_values(parsed: BaseModel) -> dict[str, Any]:
    """Give only what the client sent (S13)."""
    sent, values = parsed.model_fields_set, parsed.__dict__
    return {name: values[name] for name in type(parsed).__pydantic_fields__ if name in sent}


def all_values(parsed: BaseModel) -> dict[str, Any]:
    """Give what the client sent and what the schema's own defaults add; the columns' defaults come later."""
    given = parsed.model_fields_set | _defaulted(type(parsed))
    if given == parsed.__dict__.keys():
        return dict(parsed.__dict__)
    return {name: value for name, value in parsed.__dict__.items() if name in given}


@cache
def _defaulted(schema: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in schema.model_fields.items() if _has_default(field))


def _has_default(field: FieldInfo) -> bool:
    if field.default_factory is not None:
        return field.default_factory is not unset
    return field.default not in (None, PydanticUndefined)
