"""A window that moves with the clock: no stretch of its length ever holds more requests than the rate allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from colonnade.limits.rate import Rate, Verdict

PARTS = 100
"""Into how many parts a window is cut: requests of one part are remembered together, by the last one's time."""


@dataclass(slots=True)
class Part:
    """Requests that came close together: when the first and the last one came, and how many."""

    first: float
    last: float
    count: int


class MovingWindow:
    """The requests of one client that count now.

    A fixed window would let twice the rate through around its end, and a window of weighted counts half as much again.
    This one remembers when each request came, those of a hundredth of the window as one; so a request may count for a
    hundredth longer than it would have to, and never for less.

    Args:
        rate: how many, in how long.
        parts: what `parts` was of it, to go on from.
    """

    __slots__ = ("_rate", "_taken", "parts")

    def __init__(self, rate: Rate, parts: Iterable[Part] = ()) -> None:
        self._rate = rate
        self.parts = deque(parts)
        self._taken = sum(part.count for part in self.parts)

    def take(self, now: float) -> Verdict:
        """Count one request, unless there are too many.

        Args:
            now: seconds of a clock that never goes back.
        """
        most, seconds = self._rate
        parts = self.parts
        while parts and parts[0].last + seconds <= now:
            self._taken -= parts.popleft().count
        if self._taken >= most:
            return Verdict(False, 0, parts[0].last + seconds - now)
        self._taken += 1
        if parts and now < parts[-1].first + seconds / PARTS:
            newest = parts[-1]
            newest.last = now
            newest.count += 1
        else:
            parts.append(Part(now, now, 1))
        return Verdict(True, most - self._taken, parts[0].last + seconds - now)
