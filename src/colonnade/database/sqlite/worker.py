"""One thread that runs what may wait for the disk.

`loop.run_in_executor` would do as well; it makes two futures and measured about 20 microseconds more for each hop.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
_Ended = tuple["asyncio.Future[Any]", Any, Exception | None]

_NUDGE_EVERY = 0.001  # seconds
_NUDGE = 0.0001  # seconds


class Worker:
    """A thread that runs one call after the other; it ends with `stop`, or with the process.

    A loop under full load lets go of the interpreter again and again (at each statement, at each look at its sockets), and
    takes it back within a microsecond, before another thread has woken up. CPython counts that thread's 5 ms
    (`sys.getswitchinterval`) anew each time, so that it may wait very long: seconds, in a prototype on a loop that was
    never idle. Hence, while a call is out, the loop stands still for 0.1 ms in every millisecond; changes among reads that
    keep the loop busy then took 1.3 ms in the middle and 3 to 8 ms at the 99th percentile. A shorter switch interval alone
    did not do it (76 ms), since reads let go of the interpreter more often than that, and it holds for the whole process.

    Args:
        loop: where the results go.
        name: of the thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._out = 0
        self._nudging: asyncio.TimerHandle | None = None
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def run(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Call a function on the thread; the call goes on when the future is cancelled."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._out += 1
        self._jobs.put((future, function, arguments))
        if self._nudging is None:
            self._nudging = self._loop.call_later(_NUDGE_EVERY, self._nudge)
        return future

    def stop(self) -> None:
        """End the thread once it has run what was given to it."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function, arguments = job
            result, error = None, None
            try:
                result = function(*arguments)
            except Exception as raised:
                error = raised
            self._ended.put((future, result, error))
            try:
                self._loop.call_soon_threadsafe(self._collect)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _collect(self) -> None:
        while not self._ended.empty():
            self._settle(self._ended.get_nowait())

    def _nudge(self) -> None:
        """Wait for the thread a moment, so that it gets the interpreter if that is all that it waits for."""
        self._nudging = self._loop.call_later(_NUDGE_EVERY, self._nudge)
        try:
            self._settle(self._ended.get(timeout=_NUDGE))
        except queue.Empty:
            return

    def _settle(self, ended: _Ended) -> None:
        future, result, error = ended
        self._out -= 1
        if self._out == 0 and self._nudging is not None:
            self._nudging.cancel()
            self._nudging = None
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
