"""Finding a cached answer that is still true, or making it once for all who wait for it.

An answer's key holds the versions of its tables as they stood before it was made: whatever was committed up to those
versions is in it. Whoever asks reads the versions first, and so never finds an answer from before a change that was
committed by then, in whichever process it was made. An entry need not be removed when something changes: nobody asks for
its key any more, and its time runs out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from colonnade.cache.entries import Entries
from colonnade.database.database import Database

Make = Callable[[], Awaitable[bytes]]


class Wanted(NamedTuple):
    """An answer that is asked for.

    Attributes:
        what: tells it from every other answer of the application: path, query, and who asks where that counts.
        tables: names of those behind it, sorted, at most `MAX_TABLES`.
        seconds: that it may be kept.
    """

    what: Sequence[bytes]
    tables: Sequence[str]
    seconds: float


class Answers:
    """The cached answers of one application.

    Args:
        entries: where they are kept.

    Attributes:
        hits: answers that were found.
        misses: answers that had to be made.
    """

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._making: dict[str, asyncio.Task[bytes]] = {}
        self.hits = self.misses = 0

    async def find(self, database: Database, wanted: Wanted, make: Make) -> bytes:
        """Give an answer: one statement, and what `make` issues where none is kept.

        Args:
            database: what the answer is made from.
            wanted: which one.
            make: makes it; called once for all who wait for the same answer in this process.
        """
        key = _key(wanted.what, await self._versions(database, wanted.tables))
        if (found := await self._entries.get(key)) is not None:
            self.hits += 1
            return found
        making = self._making.get(key)
        if making is None:
            self.misses += 1
            making = self._making[key] = asyncio.create_task(self._make(key, wanted.seconds, make))
            making.add_done_callback(_look_at)
        return await asyncio.shield(making)

    async def close(self) -> None:
        """Close the store."""
        await self._entries.close()

    async def _make(self, key: str, seconds: float, make: Make) -> bytes:
        try:
            made = await make()
            await self._entries.put(key, made, seconds)
        finally:
            del self._making[key]
        return made

    @staticmethod
    async def _versions(database: Database, tables: Sequence[str]) -> list[bytes]:
        rows = await database.fetch(database.versions.select(tables))
        if len(rows) < len(tables):
            # The first time that anybody asks: without a version a database that is set up anew would look like this one.
            missing = set(tables) - {name for name, _ in rows}
            await database.commit(database.versions.renewing(missing))
            rows = await database.fetch(database.versions.select(tables))
        return [f"{name}={version}".encode() for name, version in rows]


def _key(what: Sequence[bytes], versions: Sequence[bytes]) -> str:
    digest = blake2b(digest_size=24)
    for part in (*what, *versions):
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()


def _look_at(making: asyncio.Task[bytes]) -> None:
    if not making.cancelled():
        making.exception()  # nobody else may be there any more to look at it
