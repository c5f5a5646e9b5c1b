"""Access tokens: JWTs as RFC 9068 has them, signed by HMAC-SHA-256, read with every check there is."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt

LIFETIME = 15 * 60
"""Seconds that an access token holds."""

LEEWAY = 30
"""Seconds by which the clocks of two machines may differ."""

MAX_BYTES = 2_048
"""Ours have 400; what is longer is refused before it is looked at."""

MAX_SEEN = 4_096
"""Verified tokens that are remembered."""

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_REQUIRED = ["exp", "iat", "sub", "jti", "iss", "aud", "sid"]


class TokenError(ValueError):
    """A token does not hold; the text says why, in words that a client may read."""


class Claims(NamedTuple):
    """What an access token says.

    Attributes:
        subject: the account's id.
        session: the login that it was issued to.
        expires: seconds since 1970.
    """

    subject: object
    session: str
    expires: int


class AccessTokens:
    """Issues and reads the access tokens of one application.

    Args:
        key: at least 32 bytes (RFC 7518 §3.2), the same in every worker.
        issuer: of the tokens, and the audience that they are for: this API speaks to itself.
        read_subject: makes an account's id of its text; raises `ValueError` on any other.
    """

    def __init__(self, key: bytes, issuer: str, read_subject: Callable[[str], object]) -> None:
        self._key = key
        self._issuer = issuer
        self._read_subject = read_subject
        # A signature that held a moment ago holds: checking it anew costs some 25 us a request. What else a token stands
        # for is looked up in the database each time. Only what holds is remembered, so that nobody fills this with rubbish.
        self._seen: dict[bytes, Claims] = {}

    def issue(self, subject: object, session: str) -> str:
        """Make a token that holds for `LIFETIME`."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": str(subject),
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_hex(16),
            "sid": session,
        }
        return jwt.encode(claims, self._key, _ALGORITHM, {"typ": _TYPE})

    def read(self, token: bytes) -> Claims:
        """Read a token.

        Args:
            token: as it stands in the header.

        Raises:
            TokenError: its form, signature, type, issuer, audience or times are not those of a token of ours.
        """
        claims = self._seen.get(token)
        if claims is None:
            claims = self._verify(token)
            if len(self._seen) >= MAX_SEEN:
                del self._seen[next(iter(self._seen))]
            self._seen[token] = claims
        elif claims.expires + LEEWAY <= time.time():
            del self._seen[token]
            raise TokenError("The access token has expired.")
        return claims

    def _verify(self, token: bytes) -> Claims:
        if len(token) > MAX_BYTES:
            raise TokenError("The access token is too long.")
        try:
            complete = jwt.decode_complete(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._issuer,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("The access token has expired.") from None
        except jwt.PyJWTError:
            raise TokenError("The access token is not valid.") from None
        # Whatever else is signed by the same key is no access token (RFC 8725 §3.11).
        if str(complete["header"].get("typ")).lower() != _TYPE:
            raise TokenError("The access token is not valid.")
        return self._claims(complete["payload"])

    def _claims(self, payload: dict[str, Any]) -> Claims:
        try:
            return Claims(self._read_subject(payload["sub"]), str(payload["sid"]), int(payload["exp"]))
        except ValueError:
            raise TokenError("The access token is not valid.") from None
