"""The application object: FastAPI's, entered by a shorter way where nobody watches the longer one.

FastAPI and Starlette each look at every request before the first middleware does, ask whether somebody collects telemetry,
and catch twice what `CatchAll` has caught already: four microseconds, where a keyed read on SQLite takes six.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi.telemetry._asgi import ExceptionTelemetryMiddleware  # what FastAPI puts around every application
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade.api.middleware import Forwarded


class Application(FastAPI):
    """An ordinary `FastAPI`.

    Args:
        telemetry: what is asked of FastAPI's; it keeps its own way where anything is.
        options: what `FastAPI(...)` takes.
    """

    def __init__(self, *, telemetry: TelemetryConfig, **options: Any) -> None:
        super().__init__(telemetry=telemetry, **options)
        self._is_watched = any(telemetry.get(kind, True) for kind in ("tracing", "metrics", "logs"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if self._is_watched or self.root_path or self.middleware_stack is None or scope["type"] != "http":
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Put the middleware around the routes, without Starlette's own last resort where `CatchAll` is that.

        It stays where the application has put a middleware of its own outside of ours, or says what becomes of a failure.
        """
        stack = super().build_middleware_stack()
        outermost: object = self.user_middleware[0].cls if self.user_middleware else None
        if self._is_watched or outermost is not Forwarded or not {500, Exception}.isdisjoint(self.exception_handlers):
            return stack
        while isinstance(stack, (ServerErrorMiddleware, ExceptionTelemetryMiddleware)):
            stack = stack.app
        return stack
