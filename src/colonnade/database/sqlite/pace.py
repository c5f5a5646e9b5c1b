"""How long a statement may hold the event loop's thread, and which ones are known to take longer.

SQLite calls back after every so many steps of its virtual machine; the callback can stop the statement
(https://www.sqlite.org/c3ref/progress_handler.html). Measured: the callback costs a keyed read nothing that can be seen
(5.8 microseconds with it and without), and 5,000 steps take 0.1 to 0.3 ms.
"""

from __future__ import annotations

import math
import sqlite3
import time

STEPS_PER_TICK = 2500
"""Steps of the virtual machine between two calls of the handler."""

SHORT_TICKS = 2
"""Calls that a short statement survives: it is stopped after 5,000 to 7,500 steps.

Not one: SQLite counts the steps of a prepared statement over all its runs, so that the first call of a run may come
after any number of steps, one included.
"""

_HOLD = 10.0  # seconds that a text which overran is kept away from the loop's thread
_QUICK = 0.0005  # seconds of CPU below which a statement on a thread may come back
_SUSPECTED = -1.0  # stands for a time: the text may run where it stands, but took long there the last time
_TEXTS = 1024  # texts remembered


class Budget:
    """Steps and time that the running statement of one connection may use; no limit unless one is set."""

    __slots__ = ("_deadline", "_ticks")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._ticks: float = math.inf
        self._deadline = math.inf
        connection.set_progress_handler(self._is_spent, STEPS_PER_TICK)

    def shorten(self) -> None:
        """Let what follows run for a short while only, counted in steps, so that it is the same on any machine."""
        self._ticks = SHORT_TICKS

    def limit(self, deadline: float) -> None:
        """Stop what follows at a time (`time.monotonic`)."""
        self._deadline = deadline

    def lift(self) -> None:
        """Let what follows run for as long as it takes: COMMIT must not be stopped by what a statement has used up."""
        self._ticks = self._deadline = math.inf

    def _is_spent(self) -> bool:
        self._ticks -= 1
        return self._ticks < 0 or (self._deadline < math.inf and time.monotonic() > self._deadline)


class Pace:
    """Remembers, by SQL text, which statements belong on a thread: each one until some time, or until it is quick."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def until(self, sql: str) -> float | None:
        """Time (`time.monotonic`) before which this text belongs on a thread; None for a text never seen."""
        return self._until.get(sql)

    def is_slow(self, sql: str) -> bool:
        """Whether this text belongs on a thread now."""
        until = self._until.get(sql)
        return until is not None and until > time.monotonic()

    def short(self, sql: str) -> float:
        """Note that the text may run where it stands; give the time until which it does not."""
        return self._note(sql, 0.0)

    def overran(self, sql: str) -> float:
        """Note that the text was stopped by its budget: it is not tried again for some seconds."""
        return self._note(sql, time.monotonic() + _HOLD)

    def unstoppable(self, sql: str) -> float:
        """Note that no budget can stop the text: it comes back only once it was quick on a thread."""
        return self._note(sql, math.inf)

    def long_here(self, sql: str) -> float:
        """Note that the text took long where it stood; the second time in a row it is taken for unstoppable.

        Once may have been the operating system's doing, which gave the processor to somebody else.
        """
        return self._note(sql, math.inf if self._until.get(sql) == _SUSPECTED else _SUSPECTED)

    def ran_on_thread(self, sql: str, cpu_seconds: float) -> None:
        """Note how long the text took on a thread."""
        if cpu_seconds < _QUICK and self._until.get(sql) == math.inf:
            self._note(sql, 0.0)

    def _note(self, sql: str, until: float) -> float:
        # Forgetting everything is cheaper than keeping an order, and costs each text one more look at its plan.
        if len(self._until) >= _TEXTS and sql not in self._until:
            self._until.clear()
        self._until[sql] = until
        return until
