"""Cached answers in Redis or Valkey, shared by all workers; while it is away there are none."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from colonnade.cache.entries import MAX_ENTRY

PREFIX = "colonnade:cache:"
PATIENCE = 0.25
"""Seconds that a request waits for Redis before it asks the database instead."""

PAUSE = 1.0
"""Seconds that nobody asks again after it did not answer."""

CONNECTIONS = 16

_log = logging.getLogger("colonnade.cache")


class RedisEntries:
    """Entries of one Redis database.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as `Settings.redis_url` has it.
    """

    def __init__(self, url: str) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=PATIENCE,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 1),  # a connection from before a restart of Redis is no outage
        )
        self._redis = Redis.from_pool(self._pool)
        self._asked_again = 0.0

    async def get(self, key: str) -> bytes | None:
        """Ask for an entry (one GET)."""
        if time.monotonic() < self._asked_again:
            return None
        try:
            found: Any = await self._redis.get(PREFIX + key)
        except Exception as error:
            await self._pause(error)
            return None
        return found  # type: ignore[no-any-return]  # bytes: nothing is decoded

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Leave an entry there (one SET with its expiry)."""
        if len(value) > MAX_ENTRY or time.monotonic() < self._asked_again:
            return
        try:
            await self._redis.set(PREFIX + key, value, px=max(1, round(seconds * 1000)))
        except Exception as error:
            await self._pause(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _pause(self, error: Exception) -> None:
        """Leave Redis alone for a moment, whatever went wrong: no answer is refused for the sake of its cache."""
        self._asked_again = time.monotonic() + PAUSE
        _log.warning("the cache does not answer (%s); the database is asked instead", type(error).__name__)
        # uvloop says RuntimeError of a connection that was reset, which redis-py does not take for one that is lost.
        with suppress(Exception):
            await self._pool.disconnect(inuse_connections=False)
