"""The limit on PostgreSQL: bare ASGI on asyncpg.

Connections come from a free list, because asyncpg's own pool sends a reset query at every
release, which halves a get. Statements are prepared once per connection, PostgreSQL makes the
JSON, and a change is one statement that commits by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

import asyncpg

from benchmarks.bare import application
from benchmarks.data import PUBLIC
from benchmarks.urls import from_environment

# As many as wrk keeps requests in flight: a request never waits for a connection.
SIZE = 16

_FIELDS = ", ".join(PUBLIC)
_GET = f"SELECT row_to_json(u)::text FROM (SELECT {_FIELDS} FROM users WHERE id = $1) u"
_PAGE = f"SELECT coalesce(json_agg(u), '[]')::text FROM (SELECT {_FIELDS} FROM users ORDER BY id LIMIT $2 OFFSET $1) u"
_RENAME = (
    "UPDATE users SET full_name = $2, version = version + 1, updated_at = now() WHERE id = $1 "
    "RETURNING json_build_object(" + ", ".join(f"'{name}', {name}" for name in PUBLIC) + ")::text"
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One connection and the three statements that it has prepared."""

    connection: Any
    get: Any
    page: Any
    rename: Any


class Postgres:
    """The backend of `bare.application` on a free list of connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: deque[Prepared] = deque()
        self._room = asyncio.Semaphore(SIZE)

    async def open(self) -> None:
        """Open and prepare every connection."""
        for _ in range(SIZE):
            link = await asyncpg.connect(self._url, server_settings={"timezone": "UTC"})
            statements = [await link.prepare(sql) for sql in (_GET, _PAGE, _RENAME)]
            self._free.append(Prepared(link, *statements))

    async def close(self) -> None:
        """Close every connection."""
        for prepared in self._free:
            await prepared.connection.close()

    async def get(self, number: int) -> bytes | None:
        """One user by id."""
        async with self._room:
            prepared = self._free.pop()
            try:
                text = await prepared.get.fetchval(number)
            finally:
                self._free.append(prepared)
        return None if text is None else text.encode()

    async def page(self, skip: int, limit: int) -> bytes:
        """Some users in the order of their ids."""
        async with self._room:
            prepared = self._free.pop()
            try:
                text = await prepared.page.fetchval(skip, limit)
            finally:
                self._free.append(prepared)
        return f'{{"users":{text},"skip":{skip},"limit":{limit}}}'.encode()

    async def rename(self, number: int, full_name: str) -> bytes | None:
        """One user after the change was committed."""
        async with self._room:
            prepared = self._free.pop()
            try:
                text = await prepared.rename.fetchval(number, full_name)
            finally:
                self._free.append(prepared)
        return None if text is None else text.encode()


app = application(Postgres(from_environment()))
