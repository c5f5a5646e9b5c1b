"""Finding a resource's route by its path in one look, where FastAPI tries one pattern after another.

A request to the last of forty routes costs forty regular expressions, twice over for included routers. This middleware
stands innermost and keeps an index of the resource routes that may answer directly; whatever it does not find there, and
whatever a route of the user's own would have got first, goes on to FastAPI's router untouched.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade.api.route import ResourceRoute, Runtime
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
            runtime: Runtime = app.state.colonnade
            if route is not None and runtime.lets_through(route, app):
                scope["route"], scope["endpoint"] = route, route.endpoint
                await route.answer(runtime, scope, receive, send)
                return
        if (trace := current_trace()) is not None:
            trace.route, trace.locate = None, partial(route_template, scope)
        await self.app(scope, receive, send)

    def _find(self, scope: Scope, app: FastAPI) -> ResourceRoute | None:
        if self._index is None:
            self._literal, self._index = _literal_paths(app), _index(app)
        template = scope["path"]
        if template in self._literal:
            scope["path_params"] = {}
        else:
            head, _, tail = template.rpartition("/")
            if not tail:
                return None
            scope["path_params"] = {"id": tail}
            template = head + "/{id}"
        route = self._index.get((scope["method"], template))
        if route is not None and (trace := current_trace()) is not None:
            trace.route = template
        return route


def _literal_paths(app: FastAPI) -> frozenset[str]:
    """Paths without parameters: `/users/me` is not the user whose id is `me`."""
    return frozenset(path for context in iter_route_contexts(app.routes) if (path := context.path) and "{" not in path)


def _index(app: FastAPI) -> Routes:
    """Index the resource routes by method and path, but for those that another route of the application precedes."""
    found: Routes = {}
    earlier: list[RouteContext] = []
    for context in iter_route_contexts(app.routes):
        route, path = context.original_route, context.path or ""
        if not isinstance(route, ResourceRoute):
            earlier.append(context)
        elif _is_simple(path) and not any(_precedes(other, path) for other in earlier):
            for method in context.methods or ():
                found.setdefault((method, path), route)
    return found


def _is_simple(path: str) -> bool:
    return "{" not in path or (path.endswith("/{id}") and path.count("{") == 1)


def _precedes(other: RouteContext, path: str) -> bool:
    """Tell whether another route, registered earlier, would match a path of this template."""
    pattern: Any = getattr(other, "path_regex", None)
    return pattern is not None and "{" in (other.path or "") and bool(pattern.match(path.replace("{id}", "1")))
