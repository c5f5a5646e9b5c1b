"""Finding a resource's route by its path in one look, where FastAPI tries one pattern after another.

A request to the last of forty routes costs forty regular expressions, twice over for included routers. This middleware
stands innermost and keeps an index of the resource routes that may answer directly; whatever it does not find there, and
whatever a route of the user's own would have got first, goes on to FastAPI's router untouched.
"""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade.api.open_routes import warn_of_open_routes
from colonnade.api.route import ResourceRoute, Runtime
from colonnade.api.route_table import ROOT, PlacedRoute, placed_routes
from colonnade.api.route_template import route_template
from colonnade.core.trace import current_trace

Routes = dict[tuple[str, str], ResourceRoute]


class Shortcut:
    """Answers the requests of resource routes; passes every other on.

    Args:
        app: FastAPI's router and what stands around it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._index: Routes | None = None
        self._literal: frozenset[str] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look the path up; `/users/7` under `/users/{id}` (ASGI)."""
        # FastAPI's router tells its telemetry of the route, and nobody else can.
        if scope["type"] == "http" and not scope.get("root_path") and "fastapi.telemetry" not in scope:
            app = scope["app"]
            route = self._find(scope, app)
            runtime: Runtime = app.state["colonnade"]  # in a third of the time of the attribute
            if route is not None and runtime.lets_through(route, app):
                scope["route"], scope["endpoint"] = route, route.endpoint
                await route.answer(runtime, scope, receive, send)
                return
        scope[ROOT] = scope.get("root_path", "")
        if (trace := current_trace()) is not None:
            trace.route, trace.locate = None, partial(route_template, scope)
        await self.app(scope, receive, send)

    def _find(self, scope: Scope, app: FastAPI) -> ResourceRoute | None:
        if self._index is None:
            self._literal, self._index = _literal_paths(app), _index(app)
            if app.state.colonnade.accounts is not None:
                warn_of_open_routes(app)
        method, path = scope["method"], scope["path"]
        if path in self._literal:
            found = self._index.get((method, path))
            template, values = path, {}
        else:
            head, _, last = path.rpartition("/")
            template, values = head + "/{id}", {"id": last}
            found = self._index.get((method, template))
            if found is None:  # of something below a row: `/users/7/posts`
                head, _, id = head.rpartition("/")
                template, values = f"{head}/{{id}}/{last}", {"id": id}
                found = self._index.get((method, template))
            if not values["id"]:
                return None
        if found is not None:
            scope["path_params"] = values
            if (trace := current_trace()) is not None:
                trace.route = template
        return found


def _literal_paths(app: FastAPI) -> frozenset[str]:
    """Paths without parameters: `/users/me` is not the user whose id is `me`."""
    return frozenset(placed.path for placed in placed_routes(app) if "{" not in placed.path)


def _index(app: FastAPI) -> Routes:
    """Index the resource routes by method and path, but for those that another route of the application precedes."""
    found: Routes = {}
    earlier: list[PlacedRoute] = []
    for placed in placed_routes(app):
        route, path = placed.route, placed.path
        if not isinstance(route, ResourceRoute):
            earlier.append(placed)
        elif _is_simple(path):
            for method in placed.methods or ():
                if not any(other.match(method, path.replace("{id}", "1")) for other in earlier):
                    found.setdefault((method, path), route)
    return found


def _is_simple(path: str) -> bool:
    """Tell whether the only parameter is an `{id}` that is the last segment of the path or the last but one."""
    return "{" not in path or (path.count("{") == 1 and "{id}" in path.split("/")[-2:])
