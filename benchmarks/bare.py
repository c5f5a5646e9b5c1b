"""The least that ASGI allows around a database: no routing, no validation, no framework.

Both limits are served by this one application, so that they differ in the driver alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_LIST = "/api/v1/users"
_NOT_FOUND = b'{"detail":"Not found"}'


class Backend(Protocol):
    """One driver used in the shortest way; each answer is the JSON text itself."""

    async def open(self) -> None:
        """Connect and prepare."""

    async def close(self) -> None:
        """Let go of every connection."""

    async def get(self, number: int) -> bytes | None:
        """One user, or nothing."""

    async def page(self, skip: int, limit: int) -> bytes:
        """Some users in the order of their ids."""

    async def rename(self, number: int, full_name: str) -> bytes | None:
        """The user after a durable change, or nothing."""


def application(backend: Backend) -> Asgi:
    """Serve a backend's three answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(backend, receive, send)
            return
        path: str = scope["path"]
        if scope["method"] == "PATCH":
            change = orjson.loads(await _body(receive))
            body = await backend.rename(int(path.rpartition("/")[2]), change["full_name"])
        elif path == _LIST:
            skip, limit = _window(scope["query_string"])
            body = await backend.page(skip, limit)
        else:
            body = await backend.get(int(path.rpartition("/")[2]))
        await _answer(send, body)

    return app


async def _live(backend: Backend, receive: Receive, send: Send) -> None:
    await receive()
    await backend.open()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await backend.close()
    await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


def _window(query: bytes) -> tuple[int, int]:
    pairs = dict(part.split(b"=", 1) for part in query.split(b"&"))
    return int(pairs[b"skip"]), int(pairs[b"limit"])


async def _answer(send: Send, body: bytes | None) -> None:
    status, body = (404, _NOT_FOUND) if body is None else (200, body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
