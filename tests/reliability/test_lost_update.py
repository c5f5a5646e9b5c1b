"""Twenty clients that add one to the same row, each on what it has read: nothing is lost."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.library import library, new_book

pytestmark = pytest.mark.anyio

CLIENTS, TRIES = 20, 100


async def add_one(client: httpx.AsyncClient, path: str, *, by_header: bool) -> int:
    """Read the row and add one to it, if it is still as it was read; give the status."""
    book = (await client.get(path)).json()
    body = {"sold": book["sold"] + 1}
    if by_header:
        answer = await client.patch(path, json=body, headers={"if-match": f'"{book["version"]}"'})
    else:
        answer = await client.patch(path, json={**body, "version": book["version"]})
    assert answer.status_code in {200, 412 if by_header else 409}, answer.text
    return answer.status_code


async def test_twenty_clients_lose_no_update(database_url: str) -> None:
    """S73, reliability, lost update: the final count is the number of 200s, by header and by the body's version alike."""
    async with library(database_url) as client:
        path = f"books/{(await new_book(client))['id']}"

        async def work(number: int) -> int:
            statuses = [await add_one(client, path, by_header=number % 2 == 0) for _ in range(TRIES)]
            return statuses.count(200)

        done = sum(await asyncio.gather(*[work(number) for number in range(CLIENTS)]))
        book = (await client.get(path)).json()
        assert (book["sold"], book["version"]) == (done, done + 1)
        assert done >= TRIES
