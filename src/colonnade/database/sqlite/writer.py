"""Writes: what waits together is committed together, by the one writer of this process.

The statements run where they stand, on the event loop's thread: they take 10 microseconds each, and are kept in memory
until COMMIT, which waits for the disk and therefore runs on a thread. Prototypes of this and of running everything on the
thread were equal on an idle loop, and this one 1.2 to 1.5 times as fast with 16 writers among reads, since the thread
needs the interpreter once per commit and not several times per change. What overruns the budget runs again on the thread.
"""

from __future__ import annotations

import asyncio
import copy
import random
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from colonnade.database.driver import Follow, Outcome, Statement
from colonnade.database.sqlite.batch import Change, Desk, Result, Undone, finish, roll_back, run_changes, store
from colonnade.database.sqlite.connection import LOCK_TIMEOUT, NAP, Connect, is_busy, is_interrupted
from colonnade.database.sqlite.pace import Budget, Pace
from colonnade.database.sqlite.worker import Worker

_BATCH = 128  # changes in one transaction
_SLICE = 0.002  # seconds after which no further change is begun on the event loop's thread
_MANY = 16  # statements in one change that may still run there


class _Call:
    """A caller and its change."""

    __slots__ = ("change", "future")

    def __init__(self, change: Change, future: asyncio.Future[list[Outcome]]) -> None:
        self.change = change
        self.future = future


class Writer:
    """Stores changes in the order in which they came, many in one durable commit.

    It belongs to the event loop of its first use.

    Args:
        connect: opens a connection; called on a thread.
        lock_timeout: seconds to wait for another process, or for a session of this one that holds the gate.
        time_limit: seconds that one statement may run on the thread.
    """

    def __init__(self, connect: Connect, *, lock_timeout: float = LOCK_TIMEOUT, time_limit: float = 5.0) -> None:
        self._connect = connect
        self._lock_timeout = lock_timeout
        self._time_limit = time_limit
        self._pace = Pace()
        self._calls: deque[_Call] = deque()
        self._gate = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._desk: Desk | None = None
        self._is_memory = False
        self._closed = False

    async def commit(self, statements: Sequence[Statement], follow: Follow | None = None) -> list[Outcome]:
        """Store a change; return when it is on the disk, with one outcome per statement, those that followed included.

        A caller that is cancelled may find its change stored all the same.

        Raises:
            RuntimeError: after `dispose`, or inside this task's own `exclusive`, which would wait for itself.
            sqlite3.Error: SQLite's own; nothing of the change is stored.
        """
        if self._closed:
            raise RuntimeError("the SQLite driver was disposed of")
        if self._holder is not None and self._holder is asyncio.current_task():
            raise RuntimeError("commit() inside exclusive() waits for itself; use the session's own connection")
        loop = asyncio.get_running_loop()
        call = _Call(Change(statements, follow), loop.create_future())
        self._calls.append(call)
        if self._serving is None:
            self._serving = loop.create_task(self._serve())
        return await call.future

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Keep the writer out while a session of this process writes, so that neither waits for the other's lock.

        Take it before BEGIN IMMEDIATE, leave it after COMMIT. First come, first served, the writer included.

        Raises:
            sqlite3.OperationalError: SQLITE_BUSY; others held the gate for longer than the lock timeout.
        """
        async with self._gate_in_time():
            self._holder = asyncio.current_task()
            try:
                yield
            finally:
                self._holder = None

    def state(self) -> dict[str, Any]:
        """Say whether it is open and at work, who keeps it out, and how many changes wait."""
        return {
            "open": self._desk is not None,
            "state": "writing" if self._serving is not None else "idle",
            "held_by_session": self._holder is not None,
            "waiting": len(self._calls),
        }

    async def dispose(self) -> None:
        """Store what is waiting, then close the connection and end the thread."""
        self._closed = True
        if self._serving is not None:
            await asyncio.wait([self._serving])
        if self._worker is None:
            return
        if self._desk is not None:
            await self._worker.run(self._desk.connection.close)
        self._worker.stop()
        self._worker = self._desk = None

    async def _serve(self) -> None:
        try:
            while self._calls:
                await self._serve_once()
        finally:
            self._serving = None
            _cancel(self._calls)

    async def _serve_once(self) -> None:
        """Store what waits, once neither a session here nor another process is writing."""
        calls: list[_Call] = []
        try:
            async with self._gate_in_time():
                desk = self._desk or await self._open()
                await self._begin(desk)
                calls = self._take()
                await self._store(desk, calls)
        except Exception as error:
            _fail(calls or self._take(), error)
        except asyncio.CancelledError:
            _cancel(calls)
            raise

    @asynccontextmanager
    async def _gate_in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._lock_timeout):
                await self._gate.acquire()
        except TimeoutError:
            raise _locked() from None
        try:
            yield
        finally:
            self._gate.release()

    async def _begin(self, desk: Desk) -> None:
        """Begin as soon as no other process writes; the waiting is the loop's timer's, and holds nobody up.

        Short random naps give each process the same chance; SQLite's own busy handler sleeps up to 100 ms between two
        looks, and finds the lock taken again and again.
        """
        end = time.monotonic() + self._lock_timeout
        while True:
            try:
                desk.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > end:
                    raise
            else:
                return
            await asyncio.sleep(random.uniform(*NAP))  # noqa: S311  (not a secret)

    def _take(self) -> list[_Call]:
        """Take the calls that come next; the statements of a cancelled one are not run at all."""
        calls: list[_Call] = []
        while self._calls and len(calls) < _BATCH:
            call = self._calls.popleft()
            if not call.future.done():
                calls.append(call)
        return calls

    async def _store(self, desk: Desk, calls: list[_Call]) -> None:
        assert self._worker is not None  # opened together with the desk
        changes = [call.change for call in calls]
        try:
            results = self._run_here(desk, changes)
        except BaseException:
            roll_back(desk.connection)
            raise
        if results is None:
            results = await self._worker.run(store, desk, changes)
        else:
            self._calls.extendleft(reversed(calls[len(results) :]))  # the slice of time was over
            del calls[len(results) :]
            if not self._commit_here(desk):
                results = await self._worker.run(finish, desk, changes[: len(results)], results)
        for call, result in zip(calls, results, strict=True):
            _settle(call, result)

    def _run_here(self, desk: Desk, changes: list[Change]) -> list[Result] | None:
        """Run statements where they stand, without a COMMIT; None when they belong on the thread."""
        is_slow = self._pace.is_slow
        if any(len(sent) > _MANY or any(is_slow(statement.sql) for statement in sent) for sent, _ in changes):
            return None
        try:
            return run_changes(desk, changes, desk.budget.shorten, until=time.monotonic() + _SLICE)
        except Undone as undone:
            if is_interrupted(undone.reason):
                self._pace.overran(undone.sql)
            return None

    def _commit_here(self, desk: Desk) -> bool:
        """Commit where no disk and no lock has to be waited for; False when the thread has to do it."""
        if not desk.connection.in_transaction:
            return True  # the only change of this transaction failed, and was rolled back
        if not self._is_memory:
            return False
        try:
            desk.connection.execute("COMMIT")
        except sqlite3.Error:
            return False
        return True

    async def _open(self) -> Desk:
        if self._worker is None:
            self._worker = Worker(asyncio.get_running_loop(), "colonnade-sqlite-write")
        connection = await self._worker.run(self._connect)
        # Spilling takes a lock that readers of a memory database may hold; what is not committed stays in memory.
        connection.execute("PRAGMA cache_spill = OFF")
        self._is_memory = connection.execute("PRAGMA journal_mode").fetchone() == ("memory",)
        self._desk = Desk(connection, Budget(connection), self._lock_timeout, self._time_limit)
        return self._desk


def _settle(call: _Call, result: Result) -> None:
    if call.future.done():
        return
    if isinstance(result, Exception):
        call.future.set_exception(result)
    else:
        call.future.set_result(result)


def _fail(calls: list[_Call], error: Exception) -> None:
    for call in calls:
        _settle(call, copy.copy(error))


def _cancel(calls: Iterable[_Call]) -> None:
    for call in calls:
        call.future.cancel()


def _locked() -> sqlite3.OperationalError:
    """Make SQLite's own answer to a lock not released in time, for the case that a session here holds the gate."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error.sqlite_errorname = "SQLITE_BUSY"
    return error
