"""What Colonnade has to reach, as ratios to the others in the same run, and how far it came."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.workloads import GET, LIST, PATCH, TITLES, Run

MEMORY_MIB = 150
DIALECTS = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}

# (dialect, workload): the least ratio to each of the others.
BARS: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("postgresql", GET): {"limit": 0.5, "guide_c": 6, "fastcrud": 12},
    ("postgresql", LIST): {"limit": 0.65, "guide_c": 5, "fastcrud": 8},
    ("postgresql", PATCH): {"limit": 0.45, "guide_c": 8, "fastcrud": 12},
    ("sqlite", GET): {"limit": 0.4, "guide_c": 15},
    ("sqlite", LIST): {"limit": 0.5, "guide_c": 10},
    ("sqlite", PATCH): {"limit": 0.4, "guide_c": 10},
}
# What knowing who calls, and counting, may cost: the ratio to the same application without.
GUARDED = 0.6
_RIVALS = {"limit": "of the limit", "guide_c": "times guide C", "fastcrud": "times FastCRUD"}


@dataclass(slots=True)
class Results:
    """All runs of one dialect, and the memory of Colonnade's worker (MiB) after them."""

    dialect: str
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)
    memory_mib: float | None = None

    def add(self, contender: str, workload: str, run: Run) -> None:
        """Keep one run."""
        self.runs.setdefault((contender, workload), []).append(run)

    def rate(self, contender: str, workload: str) -> float | None:
        """The median of a contender's rates, in answers a second; nothing when it did not take part."""
        runs = self.runs.get((contender, workload))
        return statistics.median(run.rate for run in runs) if runs else None

    def p99_ms(self, contender: str, workload: str) -> float | None:
        """The median of a contender's 99th percentiles, in milliseconds."""
        runs = self.runs.get((contender, workload))
        return statistics.median(run.p99_ms for run in runs) if runs else None

    def ratio(self, contender: str, other: str, workload: str) -> float | None:
        """How many times as fast one contender is as another."""
        mine, theirs = self.rate(contender, workload), self.rate(other, workload)
        return mine / theirs if mine and theirs else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bar beside what was measured; `measured` is None when Colonnade was not there."""

    what: str
    required: str
    measured: str | None
    met: bool


def verdicts(results: Results) -> Iterator[Verdict]:
    """Every bar of one dialect, the memory last."""
    for (dialect, workload), required in BARS.items():
        if dialect != results.dialect:
            continue
        for rival, least in required.items():
            ratio = results.ratio("colonnade", rival, workload)
            yield Verdict(
                f"{DIALECTS[dialect]} {TITLES[workload]}",
                f"{least:g} {_RIVALS[rival]}",
                None if ratio is None else f"{ratio:.2f}",
                ratio is not None and ratio >= least,
            )
    for workload in (GET, LIST, PATCH):
        ratio = results.ratio("signed_in", "colonnade", workload)
        yield Verdict(
            f"{DIALECTS[results.dialect]} {TITLES[workload]}, signed in and limited",
            f"{GUARDED:g} of it without",
            None if ratio is None else f"{ratio:.2f}",
            ratio is not None and ratio >= GUARDED,
        )
    memory = results.memory_mib
    yield Verdict(
        f"{DIALECTS[results.dialect]} memory of the worker",
        f"at most {MEMORY_MIB} MiB",
        None if memory is None else f"{memory:.0f} MiB",
        memory is not None and memory <= MEMORY_MIB,
    )
