"""What counts for several processes offers the limits above it."""

from __future__ import annotations

from typing import Protocol

from colonnade.limits.rate import Rate, Verdict


class Storage(Protocol):
    """Counts requests where every process of an application sees them."""

    async def take(self, limit: str, rate: Rate, client: str) -> Verdict:
        """Count one request, unless there are too many; raise whatever it may when it can't.

        Args:
            limit: the name of what is limited; each limit counts by itself.
            rate: of that limit.
            client: whose requests.
        """
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
