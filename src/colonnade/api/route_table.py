"""Each route of an application at the places where it stands: its whole path, and whether anything is before it.

FastAPI builds an included route anew for each of its places, with all its parameters and schemas, as soon as one of them
is asked about. Whoever wants to know no more than paths and methods does not have to wait for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.routing import _IncludedRouter  # where a router was included: FastAPI has no public name for it
from starlette._utils import get_route_path  # what its own routes match; it has no public name
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.types import Scope

ROOT = "colonnade.root_path"
"""Where the scope keeps the root below which the application stands: a mount adds its own path to `root_path`."""


class PlacedRoute(NamedTuple):
    """A route at one of its places.

    Attributes:
        route: as it was declared; the same object at each place.
        path: with the prefixes before it, `/api/v1/users/{id}`; empty for a route that has none.
        methods: that it takes; None where the route itself decides.
        is_guarded: dependencies of the application, of a router or of its own are solved before it.
    """

    route: BaseRoute
    path: str
    methods: Set[str] | None
    is_guarded: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its requests' paths match."""
        return _pattern(f"{self.path}/{{path:path}}" if isinstance(self.route, Mount) else self.path)

    def match(self, method: str, path: str) -> re.Match[str] | None:
        """Match a request's path, where the route takes its method; the groups are the parameters."""
        return self.pattern.match(path) if self.methods is None or method in self.methods else None


def placed_routes(app: FastAPI) -> Iterator[PlacedRoute]:
    """Give every route at every place, in the order in which FastAPI's router tries them."""
    return _placed(app.routes, "", is_guarded=False)


def path_below_root(scope: Scope) -> str:
    """Give a request's path as the application's routes have it, without the root that a server or a mount put before it."""
    root = scope.get(ROOT)
    return get_route_path(scope if root is None else {"path": scope["path"], "root_path": root})


def _placed(routes: Sequence[BaseRoute], prefix: str, is_guarded: bool) -> Iterator[PlacedRoute]:
    for route in routes:
        if isinstance(route, _IncludedRouter):
            included = route.include_context
            guarded = is_guarded or bool(included.dependencies)
            yield from _placed(route.original_router.routes, prefix + included.prefix, guarded)
        else:
            # Routes of Starlette's own know no dependencies, wherever they are included.
            own = getattr(route, "dependencies", None)
            guarded = own is not None and (is_guarded or bool(own))
            yield PlacedRoute(route, prefix + getattr(route, "path", ""), getattr(route, "methods", None), guarded)


@lru_cache(maxsize=4096)
def _pattern(path: str) -> re.Pattern[str]:
    return compile_path(path)[0]
