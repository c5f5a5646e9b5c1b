"""How large a request body may be."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.middleware.answer import answer_problem
from colonnade.core.errors import BodyTooLargeError

MAX_BODY_SIZE = 1 << 20  # bytes
MAX_DRAINED = 32 << 20  # bytes that are read and forgotten, so that the refusal arrives
DRAIN_SECONDS = 5.0


class BodyLimit:
    """Refuse a body above the limit with 413, before it is in memory, whether its length was declared or not.

    The counting is Starlette's, and so is the way for one route to have a limit of its own (`max_body_size`). Two
    things are added: a request whose declared length is within the limit, which the server holds it to, goes through
    without being counted, and the refusal is a problem document.

    Args:
        max_body_size: bytes.
    """

    def __init__(self, app: ASGIApp, max_body_size: int = MAX_BODY_SIZE) -> None:
        self.app = app
        self.max_body_size = max_body_size
        self.counted = RequestBodyLimitMiddleware(app, max_body_size=max_body_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body where its length is not known to be within (ASGI)."""
        if scope["type"] != "http" or self._is_within(scope):
            await self.app(scope, receive, send)
        else:
            await self.counted(scope, receive, _ProblemForText(scope, receive, send, self.max_body_size))

    def _is_within(self, scope: Scope) -> bool:
        declared = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                declared = value
            elif name == b"transfer-encoding":
                return False
        if declared is None:
            # In HTTP/1 neither header means no body (RFC 9112 §6.3); later versions need none of them.
            return bool(scope["http_version"].startswith("1"))
        # A length of more digits than the limit has is not within it, and need not be parsed.
        return len(declared) < 20 and declared.isdigit() and int(declared) <= self.max_body_size


class _ProblemForText:
    """A `send` that turns Starlette's refusal, a line of text, into the problem document."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_size: int) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.max_body_size = max_body_size
        self.refused = False

    async def __call__(self, message: Message) -> None:
        if self.refused:
            return
        if message["type"] == "http.response.start" and message["status"] == BodyTooLargeError.status:
            self.refused = True
            if _closes(self.scope):
                await _drain(self.receive)
            error = BodyTooLargeError(f"The body is larger than {self.max_body_size} bytes.")
            await answer_problem(error, self.scope, self.send)
            return
        await self.send(message)


def _closes(scope: Scope) -> bool:
    """Tell whether the server closes the connection after this answer, and the client has begun to send its body."""
    headers = dict(scope["headers"])
    closing = scope["http_version"] == "1.0" or b"close" in headers.get(b"connection", b"").lower()
    return closing and b"expect" not in headers


async def _drain(receive: Receive) -> None:
    """Read on for a while: a connection that is closed on unread data is reset, and the answer with it (RFC 9112 §9.6)."""
    left = MAX_DRAINED
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
