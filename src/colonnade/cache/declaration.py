"""What of a resource is cached, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Keep a resource's answers until one of the tables behind them is changed, and no longer than some seconds.

    A look costs one keyed read (of the tables' versions) and one of the cache; it is worth it for lists with totals and
    relations, and for rows that are more than one table's columns. Other rows, and the resource's list as a part of another
    one, are read as ever.

    Attributes:
        lists: seconds that lists are kept; None keeps none.
        rows: seconds that single rows with relations, or with what a schema computes, are kept; None keeps none.
        tables: names of further tables behind the answers, which only a hook or a computing schema knows of.
    """

    lists: float | None = 60.0
    rows: float | None = 300.0
    tables: Sequence[str] = ()
