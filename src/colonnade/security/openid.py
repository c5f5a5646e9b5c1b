"""An outside identity provider as an application declares it, and what passes between the two halves of a login there."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from colonnade.core.errors import DeclarationError
from colonnade.core.json import dump_json, parse_json
from colonnade.core.sealing import Seal, UnsealableError

LOGIN_SECONDS = 600
"""How long a login at a provider may take."""

MAX_NEXT = 500
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
# Browsers read a backslash as a slash, and pass tabs and line breaks over (WHATWG URL): `/\evil.test` is not relative.
_RELATIVE = re.compile(r"/(?![/\\])[!-\[\]-~]*")


@dataclass(frozen=True, slots=True)
class OpenIDProvider:
    """An OpenID Connect provider at which people may sign in.

    Args:
        name: stands in paths: `/auth/oidc/<name>/login`.
        issuer: its URL; it must be https, but on this machine.
        client_id: what the provider calls this application.
        client_secret: what this application proves itself by.
        scopes: asked for; without `email` nobody can be told apart from a stranger.

    Raises:
        DeclarationError: name or issuer can't be used.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: SecretStr
    scopes: str = "openid email profile"

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(
                f"the provider's name {self.name!r} stands in paths: letters, digits and dashes only"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS):
            raise DeclarationError(f"{self.name}: the issuer must be an https URL")


class OutsideIdentity(NamedTuple):
    """Who somebody is to a provider.

    Attributes:
        issuer, subject: tell him apart from everybody else, for ever (OpenID Connect Core §5.7).
        email: case folded, and None unless the provider has verified it.
        name: of the person.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None


class PendingLogin(NamedTuple):
    """What a browser keeps, sealed, while somebody signs in at a provider.

    Attributes:
        state: comes back with the answer: it is of this browser's own login (RFC 6749 §10.12).
        nonce: comes back in the ID token: it was made for this login (OpenID Connect Core §3.1.2.1).
        verifier: proves that whoever brings the code has begun the login (PKCE, RFC 7636).
        next: the path that is shown afterwards; empty for the tokens themselves.
        expires: seconds since 1970.
    """

    state: str
    nonce: str
    verifier: str
    next: str
    expires: int

    def seal(self, seal: Seal, provider: str) -> str:
        """Make the text that the browser keeps."""
        return seal.close(dump_json(list(self)), f"login at {provider}".encode())


def open_login(seal: Seal, provider: str, text: str) -> PendingLogin | None:
    """Read what the browser kept; None when it is not ours, not of this provider, or too old."""
    try:
        content = parse_json(seal.open(text, f"login at {provider}".encode()))
    except UnsealableError:
        return None
    assert isinstance(content, list)  # whatever was sealed was written above
    login = PendingLogin(*content)
    return login if time.time() < login.expires else None


def is_safe_next(path: str) -> bool:
    """Tell whether a browser that is sent there stays with us: a path, and nothing that it could read as a host."""
    return len(path) <= MAX_NEXT and _RELATIVE.fullmatch(path) is not None and "#" not in path
