"""Reading OAuth 2's form: what a browser's form sends, and the Authorize button of the documentation page."""

from __future__ import annotations

from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.types import Scope

from colonnade.api.problems import invalid_body
from colonnade.core.errors import MalformedBodyError, MediaTypeError
from colonnade.schemas.accounts import PasswordGrant

MEDIA_TYPE = "application/x-www-form-urlencoded"
_MAX_FIELDS = 20


class _FormExpectedError(MediaTypeError):
    """The same refusal as elsewhere, with other advice."""

    hint = f"Send a form with 'Content-Type: {MEDIA_TYPE}'."


class _MalformedFormError(MalformedBodyError):
    """As above."""

    hint = "Send each field once, percent-encoded as UTF-8."


def parse_form(scope: Scope, body: bytes) -> PasswordGrant:
    """Read the form of the password grant.

    Raises:
        MediaTypeError: CLN121, it is no form.
        MalformedBodyError: CLN101, it can't be read, or has a field twice (RFC 6749 §3.2).
        InvalidBodyError: CLN201.
    """
    media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if media.split(b";", 1)[0].strip().lower() != MEDIA_TYPE.encode():
        raise _FormExpectedError("The body is not declared to be a form.")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _MalformedFormError("The form can't be read.") from None
    if len(values := dict(fields)) < len(fields):
        raise _MalformedFormError("A field of the form stands twice.")
    try:
        return PasswordGrant.model_validate(values)
    except ValidationError as error:
        raise invalid_body(error, values) from None
