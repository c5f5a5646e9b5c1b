"""Which route took a request, as its path's template: few for any number of paths, so fit to count and to group by."""

from __future__ import annotations

from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Mount
from starlette.types import Scope


def route_template(scope: Scope) -> str | None:
    """Find the template of the route that FastAPI's router chose; None as long as it has chosen none.

    A router that is included twice has one route object under two prefixes; the path tells which was meant.
    """
    route, endpoint = scope.get("route"), scope.get("endpoint")
    if route is None and endpoint is None:
        return None
    for context in iter_route_contexts(scope["app"].routes):
        # Starlette's own routes leave no more than their endpoint behind.
        is_chosen = context.original_route is route if route is not None else _endpoint(context) is endpoint
        if is_chosen and _matches(context, scope["path"]):
            return f"{context.path}/{{path}}" if isinstance(context.original_route, Mount) else context.path
    return None


def _endpoint(context: RouteContext) -> object:
    route = context.original_route
    return route.app if isinstance(route, Mount) else getattr(route, "endpoint", None)


def _matches(context: RouteContext, path: str) -> bool:
    pattern: Any = getattr(context, "path_regex", None)
    return pattern is not None and bool(pattern.match(path))
