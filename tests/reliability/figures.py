"""How much of a family is done: the short form in `make test`, the long one in `make soak`.

`SOAK` is the part of the long form that is done: 1 for all of it, 0.1 for a tenth. What was measured is printed, and written
to the file that `SOAK_FIGURES` names.
"""

from __future__ import annotations

import os
from pathlib import Path

SOAK = float(os.environ.get("SOAK", "0"))


def times(short: int, long: int) -> int:
    """Give how often something is done."""
    return max(short, round(long * SOAK))


def seconds(short: float, long: float) -> float:
    """Give for how long something is done."""
    return max(short, long * SOAK)


def note(family: str, kind: str, **figures: object) -> None:
    """Keep what was measured, as one row of a table."""
    row = f"| {family} | {kind} | {', '.join(f'{name} {value}' for name, value in figures.items())} |"
    print(row)
    if path := os.environ.get("SOAK_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(row + "\n")


def percentile(values: list[float], share: float) -> float:
    """Give the value that this share of the others does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def kind_of(url: str) -> str:
    """Name a database by its URL."""
    name = url.partition(":")[0]
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}[name]
