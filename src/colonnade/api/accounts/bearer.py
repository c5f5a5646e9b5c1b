"""Credentials of a request: `Authorization: Bearer ...`, an access token or an API key (RFC 6750 §2.1)."""

from __future__ import annotations

from starlette.types import Scope

from colonnade.core.errors import UnauthenticatedError


def bearer_token(scope: Scope) -> bytes | None:
    """Give what stands behind `Bearer`; None where there is no such header.

    Raises:
        UnauthenticatedError: CLN300, two headers, another scheme, or nothing behind it.
    """
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if found is not None:
                raise UnauthenticatedError("'Authorization' stands twice.", error="invalid_request")
            found = value
    if found is None:
        return None
    scheme, _, token = found.partition(b" ")
    token = token.strip(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise UnauthenticatedError("Send 'Authorization: Bearer' with an access token.", error="invalid_request")
    return token


def required_token(scope: Scope) -> bytes:
    """Give what stands behind `Bearer`.

    Raises:
        UnauthenticatedError: CLN300, nothing does.
    """
    token = bearer_token(scope)
    if token is None:
        raise UnauthenticatedError("Sign in first, and send the access token.")
    return token
