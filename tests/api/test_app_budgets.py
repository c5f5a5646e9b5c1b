"""How many statements each endpoint may cost, however many rows it shows (S31)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from colonnade import Database
from tests.library import create
from tests.shop import line, new_product, new_user

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


class CountingDriver:
    """Stands before a database's driver and notes each statement of the compiled way."""

    def __init__(self, driver: Any, seen: list[str]) -> None:
        self._driver, self._seen = driver, seen

    async def fetch(self, statement: Any) -> Any:
        """Note one read."""
        self._seen.append(statement.sql)
        return await self._driver.fetch(statement)

    async def commit(self, statements: Sequence[Any], follow: Any = None) -> Any:
        """Note the statements of one change, and those that follow from it."""
        self._seen.extend(statement.sql for statement in statements)

        def noted(outcomes: Any) -> Any:
            further = follow(outcomes)
            self._seen.extend(statement.sql for statement in further)
            return further

        return await self._driver.commit(statements, noted if follow else None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect every statement of the block, of the compiled way and of sessions alike; BEGIN is none."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    driver = database.driver
    database.driver = CountingDriver(driver, seen)
    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        database.driver = driver


@pytest.fixture
async def furnished(shop: Client) -> Client:
    """A shop with three of everything, and twelve posts of the first user."""
    for number in range(3):
        user = await new_user(shop, f"ada_{number}")
        await create(shop, "user-profiles", user_id=user["id"])
        category = await create(shop, "categories", name=f"Shelf {number}")
        await create(shop, "products", name=f"Lamp {number}", price=1, quantity=99, category_id=category["id"])
    for number in range(12):
        await create(shop, "posts", user_id=1, title=f"Post {number}", body="...")
    for _ in range(3):
        await create(shop, "orders", user_id=1, lines=[line({"id": id}) for id in (1, 2, 3)])
    return shop


@pytest.mark.parametrize(
    ("path", "budget"),
    [
        ("users/1", 1), ("user-profiles/1", 1), ("posts/1", 1), ("categories/1", 1), ("products/1", 1), ("orders/1", 2),
        ("users?page_size=2", 2), ("users?page_size=2&count=none", 1), ("posts", 2), ("categories?page_size=2", 3),
        ("products?page_size=2&sort=-price&price__gte=1", 2), ("user-profiles?page_size=2", 2),
        ("users/1/posts", 3), ("categories/1/products", 2), ("orders?page_size=2", 3), ("orders?page_size=2&count=none", 2),
        ("posts?include=user", 2), ("products?page_size=2&include=category", 2), ("orders?page_size=2&include=user", 3),
        ("posts/1?include=user,user.profile", 1), ("users/1?include=profile", 1), ("users?page_size=2&fields=id", 2),
    ],
)  # fmt: skip
@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_read_keeps_its_budget(furnished: Client, shop_app: FastAPI, path: str, budget: int) -> None:
    """S31: one statement for rows, one for the total, one for each to-many relation, one for the owner of a part.

    One more asks for the versions of what is cached; where the answer is found it is the only one.
    """
    with statements(shop_app.state.database) as seen:
        assert (await furnished.get(path)).status_code == 200
    assert len(seen) == budget, seen


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_cached_list_is_one_statement(furnished: Client, shop_app: FastAPI) -> None:
    """S30, S31: the second time a list of categories costs the look at the tables' versions, and nothing else."""
    first = await furnished.get("categories?page_size=2")
    with statements(shop_app.state.database) as seen:
        assert (await furnished.get("categories?page_size=2")).json() == first.json()
    assert len(seen) == 1, seen


async def test_a_list_costs_the_same_whatever_its_length(shop: Client, shop_app: FastAPI) -> None:
    """S31: twenty orders with their lines take as many statements as one."""
    await new_user(shop)
    product = await new_product(shop, quantity=100)
    costs = []
    for count in (1, 19):
        for _ in range(count):
            await create(shop, "orders", user_id=1, lines=[line(product)])
        with statements(shop_app.state.database) as seen:
            assert len((await shop.get("orders?page_size=100")).json()["orders"][0]["lines"]) == 1
        costs.append(len(seen))
    assert costs == [2, 2]


async def test_an_order_costs_the_same_whatever_its_length(shop: Client, shop_app: FastAPI) -> None:
    """S31, S75: user, products, order, lines, stock, two to show it, three for its event, and five for two histories.

    For one line as for twenty.
    """
    await new_user(shop)
    products = [await new_product(shop, f"Lamp {number}") for number in range(20)]
    for count in (1, 20):
        with statements(shop_app.state.database) as seen:
            await create(shop, "orders", user_id=1, lines=[line(product) for product in products[:count]])
        assert len(seen) == 15, seen


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_plain_write_is_one_statement(shop: Client, shop_app: FastAPI) -> None:
    """S31, S50: create, change and delete each take one, the row shown included, where no child has a say."""
    await new_user(shop)
    with statements(shop_app.state.database) as seen:
        assert (await shop.patch("users/1", json={"bio": "..."})).status_code == 200
        await create(shop, "posts", title="t", body="b", user_id=1)
        assert (await shop.patch("posts/1", json={"title": "u"})).status_code == 200
        assert (await shop.delete("posts/1")).status_code == 204
    assert len(seen) == 4, seen


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_recorded_write_is_three_statements(shop: Client, shop_app: FastAPI) -> None:
    """S31: the row before, the change, its entry; a new row has no before. Many at once are read again after the change."""
    with statements(shop_app.state.database) as seen:
        await new_product(shop)
        assert (await shop.put("products/1", json={"price": 2})).status_code == 200
        many = [{"name": f"Lamp {number}", "price": 1} for number in range(50)]
        assert (await shop.post("products/bulk", json={"items": many})).status_code == 201
        assert (await shop.patch("products/bulk", json={"ids": [1, 2, 3], "set": {"price": 3}})).status_code == 200
    assert [text.split()[0] for text in seen].count("SELECT") == 4
    assert [" ".join(text.split()[:3]) for text in seen].count("INSERT INTO history") == 4


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_job_is_one_statement_more(shop: Client, shop_app: FastAPI) -> None:
    """S27, S31: a new user is one, and the welcome mail that goes with it is the other."""
    with statements(shop_app.state.database) as seen:
        await new_user(shop)
    assert [" ".join(text.split()[:3]) for text in seen] == ["INSERT INTO users", "INSERT INTO jobs"]


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_change_that_nothing_follows_from_opens_no_session(shop: Client, shop_app: FastAPI) -> None:
    """S27: users are welcomed when they are new; a change of one is the driver's single statement all the same."""
    await new_user(shop)
    opened: list[object] = []
    engine = shop_app.state.database.engine.sync_engine
    note = opened.append
    event.listen(engine, "begin", note)
    assert (await shop.patch("users/1", json={"bio": "..."})).status_code == 200
    event.remove(engine, "begin", note)
    assert opened == []
