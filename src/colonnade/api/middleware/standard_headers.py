"""The headers that every answer carries: the request's id, and what a browser may not do with it.

One class for both, since each wrapper around `send` costs most of a microsecond a request: measured bare, 1.9
microseconds together and 2.7 apart.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.middleware.request_id import assign_request_id

# The policy holds frames only, so that a page with a stricter one of its own adds to it: a browser enforces both.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# Not for subdomains, which may be somebody else's to decide. Over plain HTTP it must not go out (RFC 6797 §7.2).
_ON_TLS = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))


class StandardHeaders:
    """Give a request its id (see `assign_request_id`), and every answer `X-Request-ID` and the security headers.

    `Strict-Transport-Security` goes out when the request came over TLS, as the server or a trusted proxy says.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its id, and its answer with the headers (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        security = _ON_TLS if scope.get("scheme") == "https" else _ALWAYS
        request_id = (b"x-request-id", assign_request_id(scope))

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                # A new list: a route may hand out the same precomputed one again and again.
                message["headers"] = [*message.get("headers", ()), *security, request_id]
            return send(message)

        await self.app(scope, receive, send_with_headers)
