"""Who is limited by what, and how an answer tells of it (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from starlette.types import Scope

from colonnade.core.errors import RateLimitedError
from colonnade.limits.limits import Limit
from colonnade.limits.rate import Verdict
from colonnade.policy.principal import ANONYMOUS, Principal


def client_key(scope: Scope, principal: Principal = ANONYMOUS) -> str:
    """Tell whose requests are counted together: an account's, else an address's.

    Args:
        scope: its client is who `Forwarded` found it to be.
        principal: who has signed in.

    Returns:
        `Principal.key`, or the address; of an IPv6 address the network of 64 bits, which is what one subscriber has; empty
        where the address is not known.
    """
    if principal.id is not None:
        return principal.key
    client = scope.get("client")
    return "" if client is None else _network(client[0])


@lru_cache(maxsize=4096)
def _network(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def rate_limited(limit: Limit, verdict: Verdict) -> RateLimitedError:
    """Make the refusal of a request that was one too many."""
    requests, seconds = limit.rate
    return RateLimitedError(
        f"{requests} requests in {seconds} seconds are allowed.",
        retry_after=max(1, ceil(verdict.reset)),
        headers={name.decode(): value.decode() for name, value in (policy_header(limit), limit_header(limit, verdict))},
    )


def policy_header(limit: Limit) -> tuple[bytes, bytes]:
    """Say what is allowed: `"default";q=100;w=60`, a quota of 100 in a window of 60 seconds."""
    requests, seconds = limit.rate
    return b"ratelimit-policy", b'"%b";q=%d;w=%d' % (limit.name.encode(), requests, seconds)


def limit_header(limit: Limit, verdict: Verdict) -> tuple[bytes, bytes]:
    """Say what is left of it: `"default";r=99;t=60`, 99 more, and the oldest is forgotten in 60 seconds."""
    return b"ratelimit", b'"%b";r=%d;t=%d' % (limit.name.encode(), verdict.remaining, ceil(verdict.reset))
