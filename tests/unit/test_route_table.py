"""Where routes stand, read without having FastAPI build them: the same as FastAPI says, for every kind of route."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.routing import iter_route_contexts
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.main import app as shop
from colonnade.api.route_table import placed_routes


async def nothing() -> None:
    """Do so."""


async def talk(websocket: WebSocket) -> None:
    """Say nothing."""


def page(request: Any) -> PlainTextResponse:
    """Show a page of Starlette's own."""
    return PlainTextResponse("page")


def every_kind() -> FastAPI:
    """Routers within routers, at two places, with dependencies at each height, and routes of Starlette's."""
    inner = APIRouter(prefix="/inner")
    inner.add_api_route("/things/{id}", nothing, methods=["GET", "DELETE"])
    inner.add_api_route("/guarded", nothing, dependencies=[Depends(nothing)])
    inner.add_api_websocket_route("/talk/{room}", talk)
    inner.routes.append(Route("/page", page))
    outer = APIRouter(prefix="/outer", dependencies=[Depends(nothing)])
    outer.include_router(inner, prefix="/deep")
    app = FastAPI(openapi_url=None)
    app.include_router(inner, prefix="/a")
    app.include_router(outer)
    app.include_router(inner, prefix="/b", dependencies=[Depends(nothing)])
    app.mount("/mounted", Starlette())
    return app


@pytest.mark.parametrize("app", [every_kind(), shop], ids=["every kind", "shop"])
def test_the_table_is_what_fastapi_says(app: FastAPI) -> None:
    """Order, object, path, methods and dependencies of each route at each place; and its pattern."""
    expected = [
        (context.original_route, context.path, context.methods, bool(getattr(context, "dependencies", ())))
        for context in iter_route_contexts(app.routes)
    ]
    placed = list(placed_routes(app))
    assert [(one.route, one.path, one.methods, one.is_guarded) for one in placed] == expected
    patterns = [getattr(context, "path_regex", None) for context in iter_route_contexts(app.routes)]
    assert [one.pattern for one in placed] == patterns


def test_an_applications_dependency_guards_what_is_added_to_it() -> None:
    """FastAPI gives it to each route that it makes; what is mounted goes by without it."""
    app = FastAPI(dependencies=[Depends(nothing)], openapi_url=None)
    app.add_api_route("/here", nothing)
    app.include_router(APIRouter(routes=[Route("/page", page)]))
    assert {one.path: one.is_guarded for one in placed_routes(app)}["/here"]


def test_a_request_is_matched_by_method_and_path() -> None:
    """The match has the parameters; another method or path has none; a mount takes every method below it."""
    by_path = {one.path: one for one in placed_routes(every_kind())}
    things, mounted = by_path["/a/inner/things/{id}"], by_path["/mounted"]
    found = things.match("GET", "/a/inner/things/7")
    assert found is not None
    assert found.groupdict() == {"id": "7"}
    assert things.match("PUT", "/a/inner/things/7") is None
    assert things.match("GET", "/a/inner/things/7/8") is None
    assert mounted.match("PUT", "/mounted/anything/below") is not None
    assert mounted.match("GET", "/elsewhere") is None
