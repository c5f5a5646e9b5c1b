"""A limit of an operation's own, beside the one that holds for every request."""

from __future__ import annotations

from dataclasses import dataclass

from colonnade.api.limiting import client_key, limit_header, policy_header, rate_limited
from colonnade.api.operations import Call, Operation
from colonnade.api.reply import Reply
from colonnade.api.route import runtime_of
from colonnade.database.joined import JoinedDatabase
from colonnade.limits.rate import Rate


@dataclass(frozen=True, slots=True)
class Limited:
    """An operation that each client may ask for so often only.

    Attributes:
        name: of the limit; operations of one name are counted together.
    """

    operation: Operation
    name: str
    rate: Rate

    async def __call__(self, call: Call) -> Reply:
        """Answer as the operation does, and say what is left of the limit.

        Raises:
            RateLimitedError: CLN310.
        """
        limit = runtime_of(call.scope["app"]).limits.limit(self.name, self.rate)
        client = client_key(call.scope, call.principal)
        # Inside a batch's transaction the database can't be asked to count: SQLite would wait for the batch itself.
        joined = isinstance(call.database, JoinedDatabase)
        verdict = limit.take_here(client) if joined else await limit.take(client)
        if not verdict.accepted:
            raise rate_limited(limit, verdict)
        reply = await self.operation(call)
        return reply._replace(headers=(*reply.headers, policy_header(limit), limit_header(limit, verdict)))
