"""The way to the SMTP server that a URL names."""

from __future__ import annotations

import ipaddress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

TIMEOUT = 20.0
"""Seconds that a single step of the conversation may take."""

_PORTS = {"smtp": 587, "smtps": 465}


class SMTP:
    """Sends messages by the server of a URL.

    Args:
        url: `smtp://user:password@host:587` (STARTTLS where the server offers it, and demanded where a password would
            go over a network in clear), or `smtps://...` (TLS from the beginning, RFC 8314).
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        self._port = parts.port or _PORTS[parts.scheme.lower()]
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme.lower() == "smtps"

    def __repr__(self) -> str:
        """Show where, and no credentials."""
        return f"<SMTP {self._host}:{self._port}>"

    async def send(self, message: EmailMessage) -> None:
        """Hand a message over; it has been taken when this returns.

        Raises:
            aiosmtplib.SMTPException, OSError: it was not.
        """
        demanded = self._username is not None and not _is_here(self._host)
        await aiosmtplib.send(
            message,
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._tls,
            start_tls=None if self._tls or not demanded else True,
            timeout=TIMEOUT,
        )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
