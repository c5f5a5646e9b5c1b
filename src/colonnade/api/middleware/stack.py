"""The order in which the middleware stands."""

from __future__ import annotations

from starlette.middleware import Middleware

from colonnade.api.middleware.allowed_hosts import AllowedHosts
from colonnade.api.middleware.body_limit import MAX_BODY_SIZE, BodyLimit
from colonnade.api.middleware.catch_all import CatchAll
from colonnade.api.middleware.cors import Cors
from colonnade.api.middleware.forwarded import Forwarded
from colonnade.api.middleware.rate_limit import RateLimit
from colonnade.api.middleware.standard_headers import Observe, StandardHeaders
from colonnade.core.settings import Settings
from colonnade.limits.limits import Limits
from colonnade.limits.rate import read_rate


def middleware_stack(
    settings: Settings,
    observe: Observe | None = None,
    *,
    limits: Limits | None = None,
    max_body_size: int = MAX_BODY_SIZE,
) -> list[Middleware]:
    """Say what stands around the routes, outermost first, as `FastAPI(middleware=...)` takes it.

    Who called is told before anything else asks. The headers stand around all that answers, a refused preflight too.
    `Cors` stands outside of `CatchAll`, so that a script on another origin can read an error. What is not configured is
    not there and costs nothing.

    Args:
        settings: `trusted_proxies`, `server_timing`, `cors_origins`, `allowed_hosts` and `rate_limit` are read.
        observe: told of each request when it has ended.
        limits: count the requests; in memory when not given.
        max_body_size: bytes of a request body; a route may have its own (Starlette's `max_body_size`).
    """
    stack = [
        Middleware(Forwarded, proxies=settings.trusted_proxies),
        Middleware(StandardHeaders, observe, timing=settings.server_timing),
    ]
    if settings.cors_origins:
        stack.append(Middleware(Cors, origins=settings.cors_origins))
    if settings.allowed_hosts:
        stack.append(Middleware(AllowedHosts, hosts=settings.allowed_hosts))
    stack.append(Middleware(CatchAll))
    if settings.rate_limit is not None:
        general = (limits or Limits()).limit("default", read_rate(settings.rate_limit))
        stack.append(Middleware(RateLimit, limit=general))
    return [*stack, Middleware(BodyLimit, max_body_size=max_body_size)]
