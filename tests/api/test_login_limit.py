"""Failed logins of the reference application: counted in the database, told up to the limit, refused after it."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.main import build
from app.models import User
from colonnade import Base, Database, Settings
from colonnade.models.accounts import account_tables
from tests.library import problem
from tests.shop import HOST, PASSWORD, bearer, new_user, sign_in

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient
FAILURES = account_tables(User).failures


async def try_password(shop: Client, name: str = "ada", password: str = "wrong-1843") -> int:
    """Try to sign in."""
    answer = await shop.post("auth/token", data={"username": name, "password": password})
    return answer.status_code


async def let_time_pass(app: FastAPI) -> None:
    """Have every block end, as if a minute were over."""
    async with app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(FAILURES).values(blocked_until=FAILURES.c.since))
        await unit.commit()


async def test_after_five_failures_the_right_password_has_to_wait_too(shop_app: FastAPI, shop: Client) -> None:
    """S32: 429 with Retry-After, whatever name the account is called by; then it gets in, and all is forgotten."""
    await new_user(shop)
    assert [await try_password(shop) for _ in range(5)] == [401] * 5
    for name in ("ada", "ada@example.com", " ADA@example.com"):
        answer = await shop.post("auth/token", data={"username": name, "password": PASSWORD})
        assert problem(answer, 429)["code"] == "CLN310"
        assert 0 < int(answer.headers["retry-after"]) <= 60
    await let_time_pass(shop_app)
    assert await try_password(shop, password=PASSWORD) == 200
    assert [await try_password(shop) for _ in range(5)] == [401] * 5


async def test_of_many_tries_at_once_five_are_told(shop: Client) -> None:
    """S32: however many come at once, no more of them learn whether they were right."""
    await new_user(shop)
    told = Counter(await asyncio.gather(*(try_password(shop) for _ in range(12))))
    assert told == {401: 5, 429: 7}


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("name", ["ada@example.com", "ada", "nobody"])
async def test_a_failure_costs_the_same_whoever_is_named(shop_app: FastAPI, shop: Client, name: str) -> None:
    """S78: the database is asked as often for an account that is there as for one that is not: time tells nothing."""
    await new_user(shop)
    asked: list[str] = []
    engine = shop_app.state.database.engine.sync_engine

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    assert await try_password(shop, name) == 401
    sa.event.remove(engine, "before_cursor_execute", note)
    assert sum("FROM users" in statement for statement in asked) == 2  # once by e-mail address, once by username


@pytest.mark.databases("sqlite-memory")
async def test_a_password_can_not_be_guessed_where_it_is_changed(shop: Client) -> None:
    """S32, S36: whoever has a token has no more tries than whoever has none, and they count together."""
    await new_user(shop)
    header = bearer(await sign_in(shop, "ada"))
    guess = {"current_password": "wrong-1843", "new_password": "difference-2"}
    answers = [(await shop.post("auth/password", json=guess, headers=header)).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert await try_password(shop, password=PASSWORD) == 429


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_an_account_that_is_not_there_is_limited_alike(shop: Client) -> None:
    """S32: or the limit would tell which accounts there are."""
    assert [await try_password(shop, "nobody") for _ in range(6)] == [401] * 5 + [429]
    assert await try_password(shop, "somebody") == 401


@pytest.mark.databases("sqlite-memory")
async def test_an_address_may_fail_twenty_times(shop: Client) -> None:
    """S32: over all accounts; then nobody gets in from there, and others do from elsewhere."""
    await new_user(shop)
    assert {await try_password(shop, f"nobody_{number}") for number in range(20)} == {401}
    assert await try_password(shop, password=PASSWORD) == 429
    elsewhere = httpx.ASGITransport(shop._transport.app, client=("192.0.2.7", 1))  # type: ignore[attr-defined]
    async with Client(transport=elsewhere, base_url=str(shop.base_url)) as other:
        assert await try_password(other, password=PASSWORD) == 200


@pytest.mark.databases("sqlite-memory")
async def test_a_forged_header_makes_no_address_free(shop: Client) -> None:
    """S32: whose address nobody knows is counted with all others of that kind, so a header turns no limit off."""
    await new_user(shop)
    shop.headers["x-forwarded-for"] = "127.0.0.1"  # the address that the server sees
    assert {await try_password(shop, f"nobody_{number}") for number in range(20)} == {401}
    assert await try_password(shop, "somebody") == 429


@pytest.mark.databases("sqlite-memory")
async def test_an_ipv6_network_may_fail_as_often_as_an_address(shop: Client) -> None:
    """S32: one subscriber has 2**64 addresses; they are counted as one."""
    app = shop._transport.app  # type: ignore[attr-defined]
    for number in range(21):
        transport = httpx.ASGITransport(app, client=(f"2001:db8::{number + 1:x}", 1))
        async with Client(transport=transport, base_url=str(shop.base_url)) as one:
            assert await try_password(one, f"nobody_{number}") == (401 if number < 20 else 429)


@pytest.mark.databases("sqlite-memory")
async def test_names_and_addresses_are_stored_as_digests(shop_app: FastAPI, shop: Client) -> None:
    """S66: the table tells neither who failed nor where."""
    await try_password(shop, "nobody@example.com")
    async with shop_app.state.database.session(read_only=True) as session:
        rows = (await session.execute(sa.select(FAILURES))).all()
    assert len(rows) == 2
    assert all(len(row.id) == 64 for row in rows)
    assert "nobody" not in str(rows)


@pytest.mark.databases("sqlite-memory")
async def test_the_limit_is_a_setting(database_url: str) -> None:
    """S32: `LOGIN_LIMIT`, and `off` lifts it."""
    for limit, expected in ((None, [401] * 6), ("2/hour", [401, 401, 429, 429, 429, 429])):
        settings = Settings(env="test", rate_limit=None, login_limit=limit, _env_file=None)  # type: ignore[call-arg]
        app = build(settings, Database(database_url, metadata=Base.metadata))
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), Client(transport=transport, base_url=f"{HOST}/api/") as shop:
            assert [await try_password(shop) for _ in range(6)] == expected
