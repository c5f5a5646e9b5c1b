"""Which route took a request, as its path's template: few for any number of paths, so fit to count and to group by."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount
from starlette.types import Scope

from colonnade.api.route_table import path_below_root, placed_routes


def route_template(scope: Scope) -> str | None:
    """Find the template of the route that FastAPI's router chose; None as long as it has chosen none.

    A router that is included twice has one route object under two prefixes; the path tells which was meant.
    """
    route, endpoint = scope.get("route"), scope.get("endpoint")
    if route is None and endpoint is None:
        return None
    path = path_below_root(scope)
    for placed in placed_routes(scope["app"]):
        # Starlette's own routes leave no more than their endpoint behind.
        is_chosen = placed.route is route if route is not None else _endpoint(placed.route) is endpoint
        if is_chosen and placed.pattern.match(path):
            return f"{placed.path}/{{path}}" if isinstance(placed.route, Mount) else placed.path
    return None


def _endpoint(route: BaseRoute) -> object:
    return route.app if isinstance(route, Mount) else getattr(route, "endpoint", None)
