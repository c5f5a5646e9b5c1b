"""The three workloads, how long they are run, and what a run of one gives."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS = 16

# The names that workload.lua and load.py know.
GET, LIST, PATCH = "get", "list", "patch"
WORKLOADS = (GET, LIST, PATCH)
TITLES = {GET: "get by id", LIST: "list of 20", PATCH: "PATCH one field"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, how many seconds each run lasts, and how many it warms up."""

    rounds: int = 3
    seconds: float = 5
    warm_up: float = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What the load generator saw of one contender in one turn.

    `refused` counts answers of 400 and above, `broken` connections that failed or timed out.
    """

    requests: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds
