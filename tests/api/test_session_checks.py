"""The check of every request's session: many together in one statement, and none of them older than its request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from colonnade.core.errors import DatabaseAwayError, PoolExhaustedError
from tests.library import problem
from tests.shop import Json, bearer, new_user, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory", "postgresql")]

Client = httpx.AsyncClient


class HeldDriver:
    """Stands before a database's driver: the first check of a session is answered when the test says so."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.asked = 0
        self.fails = self.fails_first = False
        self.begun, self.released = asyncio.Event(), asyncio.Event()

    async def fetch(self, statement: Any) -> Any:
        """Read at once, and hold the answer back."""
        if "login_sessions" not in statement.sql:
            return await self._driver.fetch(statement)
        self.asked += 1
        first = self.asked == 1
        rows: Sequence[Any] = await self._driver.fetch(statement)
        if first:
            self.begun.set()
            await self.released.wait()
            if self.fails_first:
                raise PoolExhaustedError
        elif self.fails:
            raise DatabaseAwayError
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


@pytest.fixture
async def held(shop_app: FastAPI) -> AsyncIterator[HeldDriver]:
    """The application's database behind such a driver."""
    database = shop_app.state.database
    database.driver = driver = HeldDriver(database.driver)
    yield driver
    database.driver = driver._driver


async def begin(shop: Client, tokens: Json) -> asyncio.Task[httpx.Response]:
    """Send a request, and let it come as far as it can."""
    task = asyncio.create_task(shop.get("users/me", headers=bearer(tokens)))
    for _ in range(20):
        await asyncio.sleep(0)
    return task


async def test_requests_that_come_together_are_asked_for_together(shop: Client, held: HeldDriver) -> None:
    """S31: thirty of ten sessions take two checks, and each is answered for its own account."""
    names = [f"ada_{number}" for number in range(5)]
    for name in names:
        await new_user(shop, name)
    sessions = [(name, await sign_in(shop, name)) for name in names * 2]
    waiting = [(name, await begin(shop, tokens)) for name, tokens in sessions * 3]
    await held.begun.wait()
    held.released.set()
    for name, task in waiting:
        assert (await task).json()["username"] == name
    assert held.asked == 2


async def test_no_answer_is_older_than_its_request(shop: Client, held: HeldDriver) -> None:
    """S78: while a check is under way the session ends; who asks after that is refused, though he waits for the same."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    before = await begin(shop, tokens)
    await held.begun.wait()
    assert (await shop.post("auth/logout", headers=bearer(tokens))).status_code == 204
    after = await begin(shop, tokens)
    held.released.set()
    assert (await before).status_code == 200
    assert (await after).status_code == 401


async def test_who_goes_away_takes_nobody_along(shop: Client, held: HeldDriver) -> None:
    """S78: neither the one whose check is under way, nor one of those who wait together."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    first = await begin(shop, tokens)
    await held.begun.wait()
    second, third = await begin(shop, tokens), await begin(shop, tokens)
    first.cancel()
    second.cancel()
    held.released.set()
    assert (await third).status_code == 200
    assert (await (await begin(shop, tokens))).status_code == 200


async def test_a_failure_is_told_to_all_who_wait(shop: Client, held: HeldDriver) -> None:
    """S17: 503, and the next request is asked for anew."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    first = await begin(shop, tokens)
    await held.begun.wait()
    waiting = [await begin(shop, tokens) for _ in range(3)]
    held.fails = True
    held.released.set()
    assert (await first).status_code == 200
    for task in waiting:
        assert problem(await task, 503)["code"] == "CLN510"
    held.fails = False
    assert (await shop.get("users/me", headers=bearer(tokens))).status_code == 200


async def test_who_waited_through_a_failure_is_told_it(shop: Client, held: HeldDriver) -> None:
    """Reliability, pool exhausted: nobody waits for one check to fail, and then as long again for the next."""
    await new_user(shop)
    tokens = await sign_in(shop, "ada")
    tasks = [await begin(shop, tokens)]
    await held.begun.wait()
    tasks += [await begin(shop, tokens) for _ in range(3)]
    held.fails_first = True
    held.released.set()
    for task in tasks:
        assert problem(await task, 503)["code"] == "CLN511"
    assert held.asked == 1
    assert (await shop.get("users/me", headers=bearer(tokens))).status_code == 200
