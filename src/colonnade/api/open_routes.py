"""Routes of resources that nobody guards though people can sign in: what is not allowed is denied, and never forgotten."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase

from colonnade.api.route import ResourceRoute
from colonnade.api.route_table import placed_routes
from colonnade.core.errors import DeclarationError
from colonnade.policy.policy import policy_of

REMEDY = (
    'Resource(..., policy=Policy(allow("read", to=anyone), ...)), or allow("everything", to=anyone) to leave it open'
)

_LOG = logging.getLogger("colonnade.policy")


def open_routes(app: FastAPI) -> Mapping[type[DeclarativeBase], frozenset[str]]:
    """Find the models whose rows are everybody's by a route that neither a policy nor a dependency guards.

    Args:
        app: has resource routes.

    Returns:
        Each model, and the methods of such routes.
    """
    found: dict[type[DeclarativeBase], frozenset[str]] = {}
    for placed in () if app.router.dependencies else placed_routes(app):
        route = placed.route
        if not isinstance(route, ResourceRoute) or route.model is None or placed.is_guarded:
            continue
        if not (route.apart or route.governed or policy_of(route.model) is not None):
            found[route.model] = found.get(route.model, frozenset()) | (placed.methods or frozenset())
    return found


def require_policies(app: FastAPI) -> None:
    """Refuse an application in which people sign in and a resource does not say what that is good for.

    Raises:
        DeclarationError: one line for each such model.
    """
    if told := _told(app):
        raise DeclarationError("\n".join(told))


def warn_of_open_routes(app: FastAPI) -> None:
    """Log the same of an application that was there before its resources, and is not ours to refuse."""
    for line in _told(app):
        _LOG.warning(line)


def _told(app: FastAPI) -> list[str]:
    return [
        f"{model.__name__}: people sign in, and no policy says who may {', '.join(sorted(methods))} here; {REMEDY}"
        for model, methods in open_routes(app).items()
    ]
