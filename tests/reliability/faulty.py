"""The small application behind a fault proxy, and what a client may be told while things go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from colonnade import Change, Database, Listing, PoolSettings, Resource, Routes, Service
from colonnade.testing.faults import FaultProxy
from tests.library import Book, Publisher, Shelf, library


class Looking(Service):
    """A service with a hook inside the transaction, so that changes go through a unit of work."""

    async def after_create(self, change: Change) -> None:
        """Do nothing, inside the transaction."""

    async def after_update(self, change: Change) -> None:
        """Do nothing, inside the transaction."""


@asynccontextmanager
async def behind_proxy(
    database_url: str, service: Service | None = None, pool: PoolSettings | None = None
) -> AsyncIterator[tuple[FaultProxy, httpx.AsyncClient]]:
    """Start the application with a proxy between it and its database; books take an `Idempotency-Key`."""
    listing = Listing(filters=["title"], sorts=["id"])
    books = Resource(Book, service=service, listing=listing, routes=Routes(idempotent=True))
    async with FaultProxy(database_url) as proxy:
        database = Database(proxy.url, metadata=Shelf.metadata, pool=pool or PoolSettings(size=4))
        async with library(proxy.url, database=database, resources=[books, Resource(Publisher)]) as client:
            yield proxy, client


def refused(answer: httpx.Response) -> str:
    """Give the code of a 503 that says when to come back, as every 503 has to."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    code: str = answer.json()["code"]
    return code


def is_told(answer: httpx.Response, *wanted: int) -> bool:
    """Tell whether an answer is one of those wanted; any other must be a 503 that says when to come back."""
    if answer.status_code in wanted:
        return True
    refused(answer)
    return False


async def titles(client: httpx.AsyncClient, **filters: Any) -> list[str]:
    """Give the titles of the books that are stored."""
    answer = await client.get("books", params={"skip": 0, "limit": 100, **filters})
    assert answer.status_code == 200, answer.text
    return [book["title"] for book in answer.json()["books"]]
