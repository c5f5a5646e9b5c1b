"""How often somebody may fail to sign in: so many times in a window, then not at all for a while, then for longer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_BLOCK = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
"""Of quiet since the last failure, or since the end of the last block: then it is as if there had been none."""


@dataclass(frozen=True, slots=True)
class Failures:
    """What is remembered of the failures of one account, or of one address.

    Attributes:
        failures: in the window that is open.
        blocks: how many there were.
        since: when the window opened.
        blocked_until: the end of the last block.
    """

    failures: int
    blocks: int
    since: datetime
    blocked_until: datetime | None = None

    def wait(self, now: datetime) -> timedelta:
        """Tell how long the block goes on; nothing where there is none."""
        return max(timedelta(), self.blocked_until - now) if self.blocked_until else timedelta()


@dataclass(frozen=True, slots=True)
class LoginLimit:
    """So many failures in a window.

    Attributes:
        failures: that are told as what they are; the next try is refused whatever it holds.
        window: in which they count.
    """

    failures: int
    window: timedelta

    def times(self, factor: int) -> LoginLimit:
        """Give a limit of so many times the failures: behind one address there are several people."""
        return LoginLimit(self.failures * factor, self.window)

    def after_failure(self, before: Failures | None, now: datetime) -> Failures:
        """Count one failure; the last that is allowed begins a block, each twice as long as the one before.

        Args:
            before: what is remembered.
            now: of the failure; no block goes on at this time.
        """
        if before is None or self._is_forgotten(before, now):
            before = Failures(0, 0, now)
        elif now - before.since >= self.window:
            before = Failures(0, before.blocks, now, before.blocked_until)
        if before.failures + 1 < self.failures:
            return Failures(before.failures + 1, before.blocks, before.since, before.blocked_until)
        # Two to the power of some ten thousand blocks would be a long number for nothing.
        block = min(self.window * 2 ** min(before.blocks, 10), max(LONGEST_BLOCK, self.window))
        return Failures(0, before.blocks + 1, now, now + block)

    @staticmethod
    def _is_forgotten(before: Failures, now: datetime) -> bool:
        return now - max(before.since, before.blocked_until or before.since) >= FORGOTTEN_AFTER
