"""Twenty clients that add one to the same row, each on what it has read: nothing is lost."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.library import library, new_book
from tests.reliability.figures import kind_of, note, times

pytestmark = pytest.mark.anyio

CLIENTS, TRIES = 20, times(100, 5_000)


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
        await lose_nothing([client], TRIES)
    note("lost update, 20 clients", kind_of(database_url), operations=CLIENTS * TRIES)


async def lose_nothing(workers: list[httpx.AsyncClient], tries: int) -> None:
    """Have twenty clients, each of one worker, add one to the same row so often; count."""
    path = f"books/{(await new_book(workers[0]))['id']}"

    async def work(number: int) -> int:
        client = workers[number % len(workers)]
        statuses = [await add_one(client, path, by_header=number % 3 == 0) for _ in range(tries)]
        return statuses.count(200)

    done = sum(await asyncio.gather(*[work(number) for number in range(CLIENTS)]))
    book = (await workers[-1].get(path)).json()
    assert (book["sold"], book["version"]) == (done, done + 1)
    assert done >= tries
