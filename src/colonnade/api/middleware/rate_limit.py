"""How often one client may ask for anything at all."""

from __future__ import annotations

from collections.abc import Awaitable
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.limiting import client_key, policy_header, rate_limited
from colonnade.core.errors import ProblemError
from colonnade.limits.limits import Limit

EXEMPT = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Asked by what watches over the service, often from one address; what they cost is theirs to bound."""

_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"cookie"})


class RateLimit:
    """Refuse a client's requests beyond the limit with 429, and say on every answer what is left of it.

    Who has signed in is counted by account, so that people behind one address do not use up each other's limit; whose
    credentials do not hold is counted by address, so that inventing credentials is limited as well.

    Args:
        limit: of each client.
    """

    def __init__(self, app: ASGIApp, limit: Limit) -> None:
        self.app = app
        self.limit = limit
        self.policy = policy_header(limit)
        self.left = b'"%b";r=%%d;t=%%d' % limit.name.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, and pass it on when there are not too many (ASGI).

        Raises:
            RateLimitedError: CLN310, for `CatchAll` to answer.
        """
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in EXEMPT:
            await self.app(scope, receive, send)
            return
        verdict = await self.limit.take(await _whose(scope))
        if not verdict.accepted:
            raise rate_limited(self.limit, verdict)
        policy, left = self.policy, (b"ratelimit", self.left % (verdict.remaining, ceil(verdict.reset)))

        def send_with_limit(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), policy, left]
            return send(message)

        await self.app(scope, receive, send_with_limit)


async def _whose(scope: Scope) -> str:
    runtime = getattr(scope["app"].state, "colonnade", None) if "app" in scope else None
    if runtime is None or runtime.authenticate is None or not _has_credentials(scope):
        return client_key(scope)
    try:
        return client_key(scope, await runtime.who(scope))
    except ProblemError:
        return client_key(scope)  # the route says what is wrong with them, if it asks for any


def _has_credentials(scope: Scope) -> bool:
    return any(name in _CREDENTIALS for name, _ in scope["headers"])
