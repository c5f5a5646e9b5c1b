"""The application object: what stands around the routes, and what becomes of failures outside of `CatchAll`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade import Database, Settings, create_app
from colonnade.api.middleware import Forwarded

pytestmark = pytest.mark.anyio


class Broken:
    """A middleware of the application's own that fails."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fail (ASGI)."""
        if scope["type"] == "http":
            raise LookupError("nothing to see")
        await self.app(scope, receive, send)


def make() -> FastAPI:
    """An application with a route that fails, and one that does not."""
    app = create_app([], database=Database("sqlite://"), settings=Settings(env="test", database_url="sqlite://"))

    @app.get("/broken")
    async def broken() -> None:
        raise LookupError("nothing to see")

    @app.get("/root")
    async def root(request: Request) -> str:
        return str(request.scope["root_path"])

    return app


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, which sees answers where the application raises after them."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        yield http


async def test_nothing_stands_around_the_library_s_own_middleware() -> None:
    """What Starlette puts outside catches nothing that `CatchAll` has not caught."""
    app = make()
    async with client(app) as http:
        assert (await http.get("/broken")).json()["code"] == "CLN500"
    assert isinstance(app.middleware_stack, Forwarded)


async def test_a_middleware_of_the_application_s_own_keeps_starlette_s_last_resort() -> None:
    """A failure outside of the library's middleware is answered by Starlette, as in any FastAPI application."""
    app = make()
    app.add_middleware(Broken)
    async with client(app) as http:
        answer = await http.get("/broken")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert isinstance(app.middleware_stack, ServerErrorMiddleware)


async def test_a_handler_of_all_failures_keeps_its_place() -> None:
    """`exception_handlers={Exception: ...}` still answers for what fails outside of `CatchAll`."""
    app = make()

    @app.exception_handler(Exception)
    async def told(_request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse("told", 500)

    app.add_middleware(Broken)
    async with client(app) as http:
        assert (await http.get("/broken")).text == "told"


async def test_an_application_below_a_path_knows_it() -> None:
    """`root_path` reaches the routes, as FastAPI has it."""
    app = make()
    app.root_path = "/shop"
    async with client(app) as http:
        assert (await http.get("/shop/root")).json() == "/shop"
