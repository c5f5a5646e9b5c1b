"""What stands around every request: pure ASGI classes, one idea each, counted in microseconds.

    Forwarded         who called, where proxies stand between
    StandardHeaders   the request's id, and the headers that every answer carries
    Cors              who may call from a browser on another origin
    AllowedHosts      which names this application answers to
    CatchAll          an unforeseen exception becomes a logged, generic 500
    RateLimit         a client that asks too often is refused
    BodyLimit         a body that is too large is refused

`middleware_stack` puts them in order, outermost first.
"""

from colonnade.api.middleware.allowed_hosts import AllowedHosts
from colonnade.api.middleware.body_limit import MAX_BODY_SIZE, BodyLimit
from colonnade.api.middleware.catch_all import CatchAll
from colonnade.api.middleware.cors import Cors
from colonnade.api.middleware.forwarded import Forwarded
from colonnade.api.middleware.rate_limit import RateLimit
from colonnade.api.middleware.stack import middleware_stack
from colonnade.api.middleware.standard_headers import StandardHeaders
from colonnade.core.trace import get_request_id

__all__ = [
    "MAX_BODY_SIZE",
    "AllowedHosts",
    "BodyLimit",
    "CatchAll",
    "Cors",
    "Forwarded",
    "RateLimit",
    "StandardHeaders",
    "get_request_id",
    "middleware_stack",
]
