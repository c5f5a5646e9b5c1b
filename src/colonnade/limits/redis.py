"""Counting in Redis or Valkey, by `limits`: its Lua scripts take one entry of a moving window at once or not at all."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from limits.aio.storage import RedisStorage
from redis.asyncio import ConnectionPool

from colonnade.limits.rate import Rate, Verdict

PREFIX = "colonnade:limits"
PATIENCE = 2.0
"""Seconds that a request waits for Redis before it is counted in memory."""
CONNECTIONS = 8
"""At most; a burst that opened one for each request would not be answered in time by any."""


class RedisCounts:
    """Counts in one Redis database.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as `Settings.redis_url` has it.
    """

    def __init__(self, url: str) -> None:
        # Its own connections: `limits` would not close those that it makes.
        self._pool = ConnectionPool.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        pool: Any = self._pool  # which `limits` takes, and its annotation does not know
        self._storage = RedisStorage("redis://", implementation="redispy", key_prefix=PREFIX, connection_pool=pool)
        self._gate = asyncio.Semaphore(CONNECTIONS)
        self._failure: tuple[float, Exception] | None = None

    async def take(self, limit: str, rate: Rate, client: str) -> Verdict:
        """Count one request, unless there are too many (two commands).

        Raises:
            redis.exceptions.RedisError, OSError: Redis is away.
        """
        began = time.monotonic()
        async with self._gate:
            if self._failure is not None and self._failure[0] >= began:
                raise self._failure[1]  # it failed while this request waited in line: it need not wait again
            try:
                return await self._take(f"{limit}:{rate.requests}/{rate.seconds}:{client}", rate)
            except Exception as error:
                self._failure = time.monotonic(), error
                raise

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _take(self, key: str, rate: Rate) -> Verdict:
        accepted = await self._storage.acquire_entry(key, rate.requests, rate.seconds)
        began, taken = await self._storage.get_moving_window(key, rate.requests, rate.seconds)
        reset = began + rate.seconds - time.time()
        return Verdict(accepted, max(0, rate.requests - taken) if accepted else 0, max(0.0, reset))
