"""Which browser origins may call, and what their scripts may send and see."""

from __future__ import annotations

from collections.abc import Awaitable, Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.middleware.answer import answer_problem
from colonnade.core.errors import MalformedHeaderError

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_REQUEST_HEADERS = (
    "Content-Type",
    "Authorization",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Prefer",
    "X-Request-ID",
)
_ANSWER_HEADERS = (
    "Accept-Patch",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
)
_VARY = (b"vary", b"Origin")


class Cors(CORSMiddleware):
    """Starlette's CORS for preflights, set as this API needs it, and a short way for every other request.

    An answer without `Origin` still says `Vary: Origin`: a cache that keeps it must not give it to a browser that asks
    from another origin (Fetch standard, "CORS protocol and HTTP caches"). Starlette's way for a request with one makes
    two dictionaries of headers, seven microseconds for what is always the same four.

    Args:
        origins: exact origins, e.g. `"https://shop.example.org"`; they may send credentials.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            allow_credentials=True,
            expose_headers=_ANSWER_HEADERS,
        )
        exposed = (b"access-control-expose-headers", ", ".join(_ANSWER_HEADERS).encode())
        self.granted: dict[bytes, tuple[tuple[bytes, bytes], ...]] = {
            origin.encode(): (
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-allow-credentials", b"true"),
                exposed,
                _VARY,
            )
            for origin in origins
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, and let scripts of the origins read the answer to anything else (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origin = b""
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value
                break
        if origin and scope["method"] == "OPTIONS":
            await super().__call__(scope, receive, send)
            return
        granted = self.granted.get(origin, (_VARY,))

        def send_with_permission(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *granted]
            return send(message)

        await self.app(scope, receive, send_with_permission)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight: Starlette's answer where it is allowed, else a problem that says what is not."""
        response = super().preflight_response(request_headers)
        return response if response.status_code == 200 else _Refusal(response)


class _Refusal(Response):
    """A problem document in the place of Starlette's line of text, with that answer's CORS headers."""

    def __init__(self, refused: Response) -> None:
        super().__init__(status_code=refused.status_code)
        kept = {name: value for name, value in refused.headers.items() if not name.startswith("content-")}
        self.error = MalformedHeaderError(bytes(refused.body).decode() + ".", headers=kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer_problem(self.error, scope, send)
