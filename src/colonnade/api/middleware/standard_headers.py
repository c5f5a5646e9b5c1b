"""Around everything: a request gets its name and its trace, an answer its headers, and the log its line.

One class for all of that, since each wrapper around `send` costs most of a microsecond a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.middleware.request_id import begin_trace
from colonnade.core.trace import Trace

Observe = Callable[[Scope, Trace], None]
"""Called once for each request, when it has ended."""

# The policy holds frames only, so that a page with a stricter one of its own adds to it: a browser enforces both.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
# Not for subdomains, which may be somebody else's to decide. Over plain HTTP it must not go out (RFC 6797 §7.2).
_ON_TLS = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))


class StandardHeaders:
    """Give a request its id and trace (see `begin_trace`), and every answer `X-Request-ID` and the security headers.

    `Strict-Transport-Security` goes out when the request came over TLS, as the server or a trusted proxy says.

    Args:
        app: what answers.
        observe: told of each request when it has ended.
        timing: say in `Server-Timing` where the time went (W3C Server Timing); for those who may know.
    """

    def __init__(self, app: ASGIApp, observe: Observe | None = None, *, timing: bool = False) -> None:
        self.app = app
        self.observe = observe
        self.timing = timing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its id, and its answer with the headers (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        security = _ON_TLS if scope.get("scheme") == "https" else _ALWAYS
        trace = begin_trace(scope)

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                # A new list: a route may hand out the same precomputed one again and again.
                headers = [*message.get("headers", ()), *security, (b"x-request-id", trace.request_id.encode())]
                if self.timing:
                    headers.append((b"server-timing", server_timing(trace)))
                message["headers"] = headers
            elif not message.get("more_body"):
                trace.ended = perf_counter()  # a background task that runs after it is no part of the answer
            return send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except BaseException:
            trace.status = trace.status or 500  # what the server answers in our place
            raise
        finally:
            if self.observe is not None:
                self.observe(scope, trace)


def server_timing(trace: Trace) -> bytes:
    """Say where a request's time went, up to now, in milliseconds.

    `db` has the number of statements; those that ran at the same time count each, so it may be more than the `total`.
    """
    total = perf_counter() - trace.began
    parts = [
        f'db;dur={trace.database_seconds * 1e3:.2f};desc="{trace.statements} statement{"s" * (trace.statements != 1)}"',
        f"app;dur={max(total - trace.database_seconds - trace.access_seconds, 0.0) * 1e3:.2f}",
        f"total;dur={total * 1e3:.2f}",
    ]
    if trace.access_seconds:
        parts.insert(0, f"auth;dur={trace.access_seconds * 1e3:.2f}")
    return ", ".join(parts).encode()
