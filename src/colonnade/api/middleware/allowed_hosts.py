"""Which host names this application answers to."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from starlette._utils import get_route_path  # what its own routes match; it has no public name
from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade.api.health import HEALTH_PATHS
from colonnade.api.middleware.answer import answer_problem
from colonnade.core.errors import MalformedHeaderError

# host [":" port] of RFC 9110 §7.2, wide on purpose: what matters is what stands before the port.
_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]*)?").fullmatch


class AllowedHosts:
    """Refuse a request whose `Host` is none of the application's with 400, but for its health; never redirect.

    Starlette's `TrustedHostMiddleware` does the same with a line of text, and with a redirect that is built from the
    header that the client wrote.

    Args:
        hosts: names without port; `*.example.org` stands for every name below it, `*` for any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app = app
        lowered = [host.lower().encode() for host in hosts]
        self.any = b"*" in lowered
        self.exact = frozenset(lowered)
        self.endings = tuple(host[1:] for host in lowered if host.startswith(b"*."))
        # Real clients use a handful of names; the bound keeps invented ones from filling the memory.
        self.is_allowed = lru_cache(maxsize=256)(self._is_allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to a known host on, refuse any other (ASGI)."""
        if scope["type"] != "http" or self.any or self.is_allowed(_host_of(scope)):
            await self.app(scope, receive, send)
            return
        if get_route_path(scope) in HEALTH_PATHS:  # an orchestrator asks each instance by its address
            await self.app(scope, receive, send)
            return
        await answer_problem(MalformedHeaderError("This application does not answer to that Host."), scope, send)

    def _is_allowed(self, header: bytes) -> bool:
        found = _HOST(header.lower())
        return found is not None and (found[1] in self.exact or found[1].endswith(self.endings))


def _host_of(scope: Scope) -> bytes:
    """Give the one `Host`; nothing, which is no host, where it is missing or stands twice (RFC 9112 §3.2)."""
    hosts: list[bytes] = [value for name, value in scope["headers"] if name == b"host"]
    return hosts[0] if len(hosts) == 1 else b""
