"""Cached answers in this process's own memory: the least recently used go first."""

from __future__ import annotations

import time
from collections import OrderedDict

from colonnade.cache.entries import MAX_ENTRY

MAX_BYTES = 32 * 1_048_576
"""Bytes kept in all."""


class MemoryEntries:
    """Entries of one process. Each worker has its own; that they are right is not theirs to see to."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.size = 0

    async def get(self, key: str) -> bytes | None:
        """Give what is kept and not too old."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] < time.monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep bytes, and forget what was not used for longest when there is no room."""
        if len(value) > MAX_ENTRY:
            return
        self._drop(key)
        self._kept[key] = time.monotonic() + seconds, value
        self.size += len(value)
        while self.size > MAX_BYTES:
            self._drop(next(iter(self._kept)))

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.size = 0

    def _drop(self, key: str) -> None:
        if (found := self._kept.pop(key, None)) is not None:
            self.size -= len(found[1])
