"""Figures that are counted where they arise, in a fraction of a microsecond, and shown when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STATEMENT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""Upper bounds of the classes that durations are sorted into, in seconds."""


class Histogram:
    """Durations sorted into classes: how many there were in each, and their sum.

    Attributes:
        bounds: upper bound of each class in seconds, ascending; one more class is without.
        counts: how many in each class, not added up.
        total: sum of all, in seconds.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Add one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)
