"""How often one client may ask for anything at all."""

from __future__ import annotations

from collections.abc import Awaitable
from math import ceil
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.health import HEALTH_PATHS
from colonnade.api.limiting import client_key, policy_header, rate_limited
from colonnade.api.route import Runtime
from colonnade.core.errors import ProblemError
from colonnade.limits.limits import MAX_REFUSED, Limit
from colonnade.limits.rate import Verdict

EXEMPT = HEALTH_PATHS | {"/metrics"}
"""Asked by what watches over the service, often from one address; what they cost is theirs to bound."""

ASSETS = ("/admin/static/", "/docs/assets/")
"""A page asks for a dozen of these at once, and nobody gains by asking for more."""


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
        self.runtime: Runtime | None = None  # known when the first request comes
        self.guessers: dict[str, float] = {}  # address whose credentials do not hold -> until when it is refused
        self.policy = policy_header(limit)
        self.left = b'"%b";r=%%d;t=%%d' % limit.name.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, and pass it on when there are not too many (ASGI).

        Raises:
            RateLimitedError: CLN310, for `CatchAll` to answer.
        """
        if scope["type"] != "http" or _is_exempt(scope):
            await self.app(scope, receive, send)
            return
        client, account = client_key(scope), ""
        if has_credentials := _has_credentials(scope):
            self._require_no_guesser(client)
            account = await self._account(scope)
        verdict = await self._take(account or client)
        if not verdict.accepted:
            if has_credentials and not account:
                self._remember(client, verdict)
            raise rate_limited(self.limit, verdict)
        policy, left = self.policy, (b"ratelimit", self.left % (verdict.remaining, ceil(verdict.reset)))

        def send_with_limit(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), policy, left]
            return send(message)

        await self.app(scope, receive, send_with_limit)

    async def _take(self, client: str) -> Verdict:
        return self.limit.take_here(client) if self.limit.is_local else await self.limit.take(client)

    def _require_no_guesser(self, client: str) -> None:
        """Refuse an address that has sent too many credentials that do not hold, before the next ones are looked up.

        To look costs a statement. Whoever else is behind that address waits as well, if he signs in; an address that has
        only asked too often without any credentials is not meant.
        """
        left = self.guessers.get(client, 0.0) - monotonic() if self.guessers else 0.0
        if left > 0:
            self.limit.refused += 1
            raise rate_limited(self.limit, Verdict(False, 0, left))

    def _remember(self, client: str, refusal: Verdict) -> None:
        now = monotonic()
        if len(self.guessers) >= MAX_REFUSED:
            self.guessers = {known: until for known, until in self.guessers.items() if until > now}
        if len(self.guessers) < MAX_REFUSED:
            self.guessers[client] = now + refusal.reset

    async def _account(self, scope: Scope) -> str:
        """Give the key of who has signed in, nothing where nobody has."""
        runtime = self.runtime = self.runtime or _runtime(scope)
        if runtime is None or runtime.authenticate is None:
            return ""
        try:
            return (await runtime.who(scope)).key
        except ProblemError:
            return ""  # the route says what is wrong with the credentials, if it asks for any


def _is_exempt(scope: Scope) -> bool:
    path, root = scope["path"], scope.get("root_path")
    path = path.removeprefix(root) if root else path
    return path in EXEMPT or path.startswith(ASSETS)


def _has_credentials(scope: Scope) -> bool:
    for name, _ in scope["headers"]:  # noqa: SIM110  # `any` makes a generator for it
        if name == b"authorization":
            return True
    return False


def _runtime(scope: Scope) -> Runtime | None:
    found: Runtime | None = getattr(scope["app"].state, "colonnade", None) if "app" in scope else None
    return found
