"""Who called, and over what, where proxies stand between: told once, at the edge, and read from the scope ever after."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade.api.client_address import TrustedProxies, client_address

_HEADERS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"})
_PROTO = re.compile(rb'(?:^|;)\s*proto\s*=\s*"?(https?)"?\s*(?:;|$)', re.IGNORECASE)


class Forwarded:
    """Put the client's own address into `scope["client"]`, and the scheme that it used into `scope["scheme"]`.

    Both come from a trusted proxy's headers, or stay what the socket says. The client is None where nobody who is trusted
    knows it; see `client_address`. Servers have such an option too (uvicorn's `--proxy-headers`, which trusts its own host
    unasked); this one counts under any of them.

    Args:
        proxies: addresses and networks.
    """

    def __init__(self, app: ASGIApp, proxies: Collection[str] = ()) -> None:
        self.app = app
        self.trusted = TrustedProxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with what is known of its client (ASGI)."""
        if scope["type"] in ("http", "websocket"):
            for name, _ in scope["headers"]:
                if name in _HEADERS:
                    self._read(scope)
                    break
        await self.app(scope, receive, send)

    def _read(self, scope: Scope) -> None:
        client = scope.get("client")
        address = client_address(scope, self.trusted)
        if client is None or client[0] not in self.trusted:
            scope["client"] = client if address else None
            return
        scope["client"] = (address, 0)
        if (scheme := _forwarded_scheme(scope)) is not None:
            scope["scheme"] = scheme if scope["type"] == "http" else scheme.replace("http", "ws")


def _forwarded_scheme(scope: Scope) -> str | None:
    """Give what the nearest proxy was called over, the last element of its header."""
    for name, value in reversed(scope["headers"]):
        last = value.rpartition(b",")[2].strip()
        if name == b"x-forwarded-proto" and last.lower() in (b"http", b"https"):
            return str(last.lower().decode())
        if name == b"forwarded" and (found := _PROTO.search(last)):
            return found[1].lower().decode()
    return None
