"""A faulty network before PostgreSQL and Redis, under load: no wrong 2xx, no 500, nobody waits longer than the limits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import httpx
import pytest

from colonnade import PoolSettings
from colonnade.database.pool import deadline_of
from colonnade.testing.faults import BLACK_HOLE, CUT, HEALTHY, LATENCY, RESET, SLICES, Fault
from tests.library import new_book
from tests.reliability.faulty import behind_proxy, is_told
from tests.reliability.figures import SOAK, note, percentile, seconds

pytestmark = [pytest.mark.anyio, pytest.mark.databases("postgresql")]

FAULTS = {
    "latency": LATENCY,
    "slices": SLICES,
    "reset": RESET,
    "reset now and then": Fault(ending="reset", at=b"Emma 7"),
    "cut": CUT,
    "black hole": BLACK_HOLE,
}
POOL = PoolSettings(size=4, statement_timeout=PoolSettings().statement_timeout if SOAK else 1)
DEADLINE = POOL.timeout + deadline_of(POOL)
"""Seconds that a request may wait for a connection of the pool, and its statement for an answer."""


class Press:
    """Clients that create, count and read until they are told to stop."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.is_over = False
        self.statuses: Counter[int] = Counter()
        self.took: list[float] = []
        self.stored: set[str] = set()
        self.refused: set[str] = set()

    async def run(self, number: int) -> None:
        """Be one client."""
        turn = 0
        while not self.is_over:
            turn += 1
            title = f"Emma {number}.{turn}"
            created = await self._timed("POST", "books", json={"title": title})
            if created.status_code == 201:
                assert created.json()["title"] == title
                self.stored.add(title)
                read = await self._timed("GET", f"books/{created.json()['id']}")
                assert not is_told(read, 200) or read.json()["title"] == title
            elif created.json()["code"] != "CLN514":
                self.refused.add(title)
            listed = await self._timed("GET", "books", params={"title": title, "count": "exact"})
            if is_told(listed, 200) and created.status_code == 201:
                assert listed.json()["total"] == 1

    async def _timed(self, method: str, path: str, **sent: object) -> httpx.Response:
        began = time.monotonic()
        answer = await self.client.request(method, path, **sent)  # type: ignore[arg-type]  # as given
        self.took.append(time.monotonic() - began)
        self.statuses[answer.status_code] += 1
        is_told(answer, 200, 201)
        return answer


@pytest.mark.parametrize("name", FAULTS)
async def test_postgresql_behind_a_faulty_network(database_url: str, name: str) -> None:
    """Reliability, fault proxy: what was answered 201 is stored once, what was refused is not, and all is well after it."""
    async with behind_proxy(database_url, pool=POOL) as (proxy, client):
        await new_book(client, "before")
        press = Press(client)
        pressing = [asyncio.create_task(press.run(number)) for number in range(8)]
        await asyncio.sleep(0.2)
        proxy.fault = FAULTS[name]
        await asyncio.sleep(seconds(1.5, 60))
        press.is_over = True
        await asyncio.gather(*pressing)
        proxy.fault = HEALTHY
        for title in press.stored:
            assert (await client.get("books", params={"title": title})).json()["total"] == 1
        for title in press.refused:
            assert (await client.get("books", params={"title": title})).json()["total"] == 0
        slow = percentile(press.took, 0.99)
        note(f"fault proxy, {name}", "PostgreSQL", answers=dict(press.statuses), p99=f"{slow:.2f} s")
        assert slow < DEADLINE + (0.5 if SOAK else 30)  # the long form runs on a machine that has nothing else to do
