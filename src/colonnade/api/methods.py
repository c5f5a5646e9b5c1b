"""HEAD and OPTIONS everywhere, and an `Allow` that lists every method of a path (RFC 9110 §9.3.2, §9.3.7, §15.5.6)."""

from __future__ import annotations

from fastapi import FastAPI
from starlette._utils import get_route_path  # what its own routes match; it has no public name
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.problems import problem_response
from colonnade.api.route_table import placed_routes
from colonnade.core.errors import NoSuchPathError


class StandardMethods:
    """Answers HEAD as GET without its body, and OPTIONS by the methods that the path has."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything else on (ASGI)."""
        method = scope.get("method")
        if method == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, _without_body(send))
        elif method == "OPTIONS" and scope["type"] == "http":
            await _answer_options(scope, send)
        else:
            await self.app(scope, receive, send)


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """List the methods of a path, without the root before it, in a settled order."""
    found: set[str] = set()
    for placed in placed_routes(app):
        if placed.pattern.match(path):
            found |= placed.methods or {"GET"}
    if "GET" in found:
        found.add("HEAD")
    return sorted(found | {"OPTIONS"}) if found else []


def _without_body(send: Send) -> Send:
    async def without_body(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return without_body


async def _answer_options(scope: Scope, send: Send) -> None:
    methods = allowed_methods(scope["app"], get_route_path(scope))
    if not methods:
        status, headers, body = problem_response(NoSuchPathError(), scope)
    else:
        status, headers, body = 204, [(b"allow", ", ".join(methods).encode())], b""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
