"""Exact totals, remembered where counting is expensive, and kept right by what is written.

A total is right at once after whatever this process has written: each change leaves a record, and a remembered total is
carried over them (one more for an insert) or forgotten. What others write shows within `MAX_AGE`: a total that is older is
used only while the database says that nothing at all was committed since it was counted (PostgreSQL's snapshot, SQLite's
data version), and counted again where that can't be said (MariaDB).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

from colonnade.database.changes import Effect, Record
from colonnade.database.database import Database
from colonnade.query.compile import Statement
from colonnade.query.count import Scope

MAX_AGE = 1.0
"""Seconds within which a change of another process, or from outside, shows in an exact total."""

MAX_ESTIMATE_AGE = 60.0
"""Seconds that an estimated total may be old where the database has no estimate of its own."""

LARGE = 10_000
"""Rows from which a total is remembered; fewer are counted faster than anybody would notice, and then no change is late."""

SLOW = 0.02
"""Seconds from which a count is remembered, however few rows it found."""

MAX_TOTALS = 1_000
"""Totals remembered per database; a client that tries every filter must not fill the memory."""


@dataclass(slots=True)
class _Total:
    """A total, and what tells whether it still is one.

    Attributes:
        rows: the total.
        position: of the changes that it was carried over.
        counted: tick at the end of the count.
        checked: when (`time.monotonic`) it was known to be right.
        stamp: of the database before the count.
    """

    rows: int
    position: int
    counted: int
    checked: float
    stamp: object | None


class _Running(NamedTuple):
    """A count under way, and the changes before it."""

    position: int
    task: asyncio.Task[int]


class Totals:
    """The totals of one database.

    Args:
        database: where rows are counted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[Statement, _Total] = {}
        self._running: dict[Statement, _Running] = {}

    async def exact(self, count: Statement, scope: Scope) -> int:
        """Give how many rows there are.

        Args:
            count: the statement that counts.
            scope: what its result depends on.
        """
        known = self._kept.get(count)
        if known is None:
            return await self._count(count)
        if await self._is_fresh(known) and self._carry(known, scope):
            return known.rows
        # Many wait for one count, unless it began before a change of this process.
        running = self._running.get(count)
        if running is None or running.position != self._database.changes.position:
            task = asyncio.create_task(self._count_once(count))
            running = self._running[count] = _Running(self._database.changes.position, task)
        return await asyncio.shield(running.task)

    async def estimated(self, count: Statement, rows: Statement, scope: Scope) -> int:
        """Give about how many rows there are: the database's own estimate, else a total that may be a minute old.

        Args:
            count: as for `exact`.
            rows: the statement that selects what is counted.
            scope: as for `exact`.
        """
        guess = await self._database.estimate(rows)
        if guess is not None and guess >= LARGE:
            return guess
        known = self._kept.get(count)
        if known is not None and time.monotonic() - known.checked < MAX_ESTIMATE_AGE:
            return known.rows
        return await self.exact(count, scope)

    async def _is_fresh(self, known: _Total) -> bool:
        now = time.monotonic()
        if now - known.checked <= MAX_AGE:
            return True
        if known.stamp is None or await self._database.stamp() != known.stamp:
            return False
        known.checked = now
        return True

    def _carry(self, known: _Total, scope: Scope) -> bool:
        """Carry a total over this process's changes since; False when one of them can't be reckoned with."""
        records = self._database.changes.since(known.position)
        if records is None:
            return False
        if records:
            rows = _carried(known, scope, records)
            if rows is None:
                return False
            known.rows, known.position = rows, known.position + len(records)
        return True

    async def _count_once(self, count: Statement) -> int:
        try:
            return await self._count(count, stamped=True)
        finally:
            if (running := self._running.get(count)) is not None and running.task is asyncio.current_task():
                del self._running[count]

    async def _count(self, count: Statement, *, stamped: bool = False) -> int:
        """Count, and remember; only what is asked for again is worth a stamp."""
        changes = self._database.changes
        position = changes.position
        stamp = await self._database.stamp() if stamped else None
        began = time.monotonic()
        rows: int = (await self._database.fetch(count))[0][0]
        if rows >= LARGE or time.monotonic() - began >= SLOW:
            self._remember(count, _Total(rows, position, changes.tick(), began, stamp))
        else:
            self._kept.pop(count, None)
        return rows

    def _remember(self, count: Statement, total: _Total) -> None:
        if count not in self._kept and len(self._kept) >= MAX_TOTALS:
            del self._kept[next(iter(self._kept))]
        self._kept[count] = total


def _carried(known: _Total, scope: Scope, records: Iterable[Record]) -> int | None:
    """Reckon with changes one after the other; None when the rows would have to be counted again."""
    rows = known.rows
    for record in records:
        step = _step(known.counted, scope, record)
        if step is None:
            return None
        rows += step
    return rows


def _step(counted: int, scope: Scope, record: Record) -> int | None:
    """Tell by how much a change moves a total; None when that can't be told."""
    effect = record.effect
    if effect.table != scope.table:
        return None if _reaches(scope, effect) else 0
    if record.began < counted:
        return None  # it was made while the rows were counted, before or behind the count's back
    if effect.kind == "settled" or (effect.kind == "update" and not effect.words & scope.columns):
        return 0
    return _moved(scope, effect, record.rows)


def _moved(scope: Scope, effect: Effect, rows: int | None) -> int | None:
    """Tell how many rows an insert or a removal brings or takes, where every row counts."""
    if not scope.whole or rows is None:
        return None
    if effect.kind == "insert":
        return rows
    # What is removed may have been hidden before.
    return -rows if effect.kind == "delete" and not scope.columns else None


def _reaches(scope: Scope, effect: Effect) -> bool:
    """Whether a change of another table, or of nobody knows which, may move the total."""
    if effect.kind == "delete" and effect.table in scope.parents:
        return True
    return not effect.table or effect.table in scope.others


_TOTALS: WeakKeyDictionary[Database, Totals] = WeakKeyDictionary()


def totals_of(database: Database) -> Totals:
    """Give the totals that are remembered of a database."""
    found = _TOTALS.get(database)
    if found is None:
        found = _TOTALS[database] = Totals(database)
    return found
