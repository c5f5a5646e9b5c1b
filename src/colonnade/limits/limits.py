"""The limits of an application: each by its name and rate, counted in one place, or in memory while that place is away."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from colonnade.limits.memory import MemoryCounter
from colonnade.limits.rate import Rate, Verdict
from colonnade.limits.storage import Storage

ABSENCE = 5.0
"""Seconds for which a storage that failed is not asked again: each request would wait for it in vain."""

MAX_REFUSED = 10_000
"""Clients whose refusals are remembered; of more, the storage is asked again."""

_log = logging.getLogger("colonnade.limits")


@dataclass(slots=True)
class Limits:
    """Every limit of an application.

    Attributes:
        storage: where requests are counted; None for this process alone.
    """

    storage: Storage | None = None
    _known: dict[tuple[str, Rate], Limit] = field(default_factory=dict)
    _away_until: float = 0.0

    def limit(self, name: str, rate: Rate) -> Limit:
        """Give the limit of this name and rate: always the same one."""
        known = self._known.get((name, rate))
        if known is None:
            known = self._known[name, rate] = Limit(name, rate, self)
        return known

    def known(self) -> tuple[Limit, ...]:
        """Give every limit that was asked for so far."""
        return tuple(self._known.values())

    @property
    def is_storage_away(self) -> bool:
        """Whether this process counts for itself just now, its storage having failed."""
        return time.monotonic() < self._away_until

    async def ask(self, limit: Limit, client: str) -> Verdict | None:
        """Count in the storage; None where there is none that answers."""
        if self.storage is None or time.monotonic() < self._away_until:
            return None
        try:
            return await self.storage.take(limit.name, limit.rate, client)
        except Exception as error:  # whatever it is: a limit that can't be counted must not refuse everybody
            if self._away_until == 0.0 or time.monotonic() > self._away_until + ABSENCE:
                _log.warning("limits are counted per process while their storage is away: %s", error)
            self._away_until = time.monotonic() + ABSENCE
            return None

    async def close(self) -> None:
        """Close the storage."""
        if self.storage is not None:
            await self.storage.close()


class Limit:
    """One limit: so many requests of each client.

    Attributes:
        name: of what is limited; stands in the headers.
        rate: how many, in how long.
        refused: requests that were too many, in this process.
    """

    __slots__ = ("_limits", "_memory", "_told", "name", "rate", "refused")

    def __init__(self, name: str, rate: Rate, limits: Limits) -> None:
        self.name = name
        self.rate = rate
        self.refused = 0
        self._limits = limits
        self._memory = MemoryCounter(rate)
        self._told: dict[str, float] = {}  # client -> until when it is refused

    async def take(self, client: str) -> Verdict:
        """Count one request of a client, unless there are too many.

        Args:
            client: an address or an account; see `api.limiting`.
        """
        verdict = self._memory.take(client) if self._limits.storage is None else await self._ask(client)
        self.refused += not verdict.accepted
        return verdict

    async def _ask(self, client: str) -> Verdict:
        # Who was refused is refused until that can change, and the storage is not asked: a flood costs it nothing.
        left = self._told.get(client, 0.0) - time.monotonic()
        if left > 0:
            return Verdict(False, 0, left)
        verdict = await self._limits.ask(self, client)
        if verdict is None:
            return self._memory.take(client)
        if not verdict.accepted:
            self._remember(client, verdict)
        return verdict

    def _remember(self, client: str, refusal: Verdict) -> None:
        now = time.monotonic()
        if len(self._told) >= MAX_REFUSED:
            self._told = {known: until for known, until in self._told.items() if until > now}
        if len(self._told) < MAX_REFUSED:
            self._told[client] = now + refusal.reset

    @property
    def is_local(self) -> bool:
        """Whether this process counts alone, so that nothing has to be waited for."""
        return self._limits.storage is None

    def take_here(self, client: str) -> Verdict:
        """Count one request in this process alone, whatever the others count."""
        verdict = self._memory.take(client)
        self.refused += not verdict.accepted
        return verdict
