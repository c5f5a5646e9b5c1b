"""`/metrics`: the application's figures, for Prometheus.

Who may read: whoever shows `METRICS_TOKEN`, where that is set; else a client on this machine. A figure tells of nobody's
data, but of how much there is and how busy it is, which is not everybody's affair.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from starlette.types import Scope

from colonnade.api.route import runtime_of
from colonnade.core.errors import NoSuchPathError, UnauthenticatedError
from colonnade.core.settings import Settings
from colonnade.observation.figures import exposition, together
from colonnade.observation.workers import Workers

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


def metrics_router(settings: Settings, workers: Workers) -> APIRouter:
    """Make the router of `/metrics`; it belongs at the root, outside of the API's prefix."""
    router = APIRouter()
    token = settings.metrics_token.get_secret_value() if settings.metrics_token is not None else None

    async def metrics(request: Request) -> Response:
        """Give the figures of all workers together."""
        _let_in(request.scope, token)
        figures = runtime_of(request.app).figures
        found = together([*workers.others(), figures.own(), await figures.common()])
        text, media_type = exposition(found, request.headers.get("accept", ""))
        return Response(text, media_type=None, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    router.add_api_route("/metrics", metrics, methods=["GET"], include_in_schema=False)
    return router


def is_local(scope: Scope) -> bool:
    """Tell whether a request comes from this machine, and was not passed on by a proxy on it."""
    client = scope.get("client")
    if client is None or any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _let_in(scope: Scope, token: str | None) -> None:
    if token is None:
        if not is_local(scope):
            raise NoSuchPathError
        return
    sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    if not hmac.compare_digest(sent, f"Bearer {token}".encode()):
        raise UnauthenticatedError("The figures are for who shows METRICS_TOKEN as a bearer token.")
