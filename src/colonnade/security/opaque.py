"""Opaque tokens: a name by which a row is found, and a secret of which the row has the hash only.

A secret of 256 random bits needs no slow hash: nobody guesses it, and SHA-256 tells nothing of it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256
from typing import NamedTuple

KEY_MARK = "cln_"
"""Every API key begins so: a person, and a scanner of leaked secrets, sees what it is."""

_REFRESH = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_KEY = re.compile(rf"{KEY_MARK}([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")


class Opaque(NamedTuple):
    """A token in its parts."""

    name: str
    secret: str

    @property
    def hash(self) -> str:
        """What is stored of the secret: 64 hexadecimal digits."""
        return sha256(self.secret.encode()).hexdigest()

    def fits(self, stored: str) -> bool:
        """Tell whether the stored hash is this secret's, in a time that does not depend on it."""
        return hmac.compare_digest(self.hash, stored)

    def __repr__(self) -> str:
        return f"Opaque({self.name!r}, ...)"


def new_name() -> str:
    """Name a new session: 128 random bits."""
    return secrets.token_hex(16)


def new_refresh_token(name: str) -> Opaque:
    """Make the next refresh token of a session."""
    return Opaque(name, secrets.token_urlsafe(32))


def refresh_text(token: Opaque) -> str:
    """Write a refresh token as the client gets it."""
    return f"{token.name}.{token.secret}"


def read_refresh_token(text: str) -> Opaque | None:
    """Read what a client sent; None when it is no refresh token."""
    found = _REFRESH.fullmatch(text)
    return None if found is None else Opaque(found[1], found[2])


def new_api_key() -> Opaque:
    """Make an API key."""
    return Opaque(secrets.token_hex(6), secrets.token_urlsafe(32))


def api_key_text(key: Opaque) -> str:
    """Write an API key as the client gets it, once."""
    return f"{KEY_MARK}{key.name}_{key.secret}"


def read_api_key(text: str) -> Opaque | None:
    """Read what a client sent; None when it is no API key."""
    found = _KEY.fullmatch(text)
    return None if found is None else Opaque(found[1], found[2])
