"""The demo data: filled once, whole, and the same each time."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.demo_data import Counts, demo_data, lines_of
from app.models import Category, Order, OrderLine, Post, Product, User, UserProfile
from app.seed import DEMO_PASSWORD, seed
from colonnade import Database
from colonnade.security.passwords import check_password
from tests.library import create
from tests.shop import line, new_user

pytestmark = pytest.mark.anyio

MODELS = (User, UserProfile, Category, Product, Post, Order, OrderLine)


async def count(database: Database) -> dict[str, int]:
    """Count the rows of each table."""
    async with database.session(read_only=True) as session:
        return {
            model.__tablename__: await session.scalar(sa.select(sa.func.count()).select_from(model)) or 0
            for model in MODELS
        }


async def test_an_empty_database_is_filled(
    shop: httpx.AsyncClient, shop_app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    """S62: as many rows as were asked for, spread over every table, told as they come, and a login that is said."""
    told: list[int] = []
    assert await seed(shop_app.state.database, 500, told.append) == 500
    counts = await count(shop_app.state.database)
    assert (sum(counts.values()), sum(told), min(counts.values()) > 0) == (500, 500, True)
    assert (
        f"demo@example.com, an administrator; all demo users have the password {DEMO_PASSWORD}"
        in capsys.readouterr().out
    )
    assert (await shop.get("users/1")).json()["email"] == "demo@example.com"


async def test_ids_go_on_after_the_demo_data(shop: httpx.AsyncClient, shop_app: FastAPI) -> None:
    """S62: the next rows of every table get the next numbers, on PostgreSQL too."""
    await seed(shop_app.state.database, 500)
    before = await count(shop_app.state.database)
    user = await new_user(shop)
    product = await create(shop, "products", name="Lamp", price=1, quantity=1)
    order = await create(shop, "orders", user_id=user["id"], lines=[line(product)])
    assert user["id"] == before["users"] + 1
    assert order["lines"][0]["id"] == before["order_lines"] + 1


async def test_a_filled_database_is_left_alone(shop_app: FastAPI) -> None:
    """S62: whatever is there already stays, and nothing is added."""
    database = shop_app.state.database
    assert await seed(database, 40) == 40
    before = await count(database)
    assert await seed(database, 40) == 0
    assert await count(database) == before


@pytest.mark.databases("sqlite-memory")
async def test_nothing_is_stored_when_nothing_is_asked_for(shop_app: FastAPI) -> None:
    """S62: SEED=0 leaves the tables empty."""
    assert await seed(shop_app.state.database, 0) == 0
    assert sum((await count(shop_app.state.database)).values()) == 0


@pytest.mark.databases("sqlite-memory")
async def test_demo_users_log_in_with_the_password_that_is_told(shop_app: FastAPI) -> None:
    """S36, S62: all share one hash, and it is the demo password's."""
    await seed(shop_app.state.database, 20)
    async with shop_app.state.database.session(read_only=True) as session:
        hashes = set(await session.scalars(sa.select(User.hashed_password)))
    assert len(hashes) == 1
    assert (await check_password(DEMO_PASSWORD, hashes.pop())).right


@pytest.mark.parametrize("rows", [1, 2, 19, 39, 40, 41, 100, 999, 5_000])
def test_any_number_of_rows_can_be_made(rows: int) -> None:
    """S62: exactly so many, and every reference points at a row that comes before."""
    made: Counter[str] = Counter()
    for model, batch in demo_data(rows, "hash"):
        for row in batch:
            made[model.__tablename__] += 1
            assert row["id"] == made[model.__tablename__]
            assert 1 <= row.get("user_id", 1) <= made["users"]
            assert 1 <= row.get("product_id", 1) <= max(made["products"], 1)
    assert made.total() == rows
    assert made["order_lines"] == lines_of(Counts.of(rows).orders)


def test_demo_data_is_the_same_each_time() -> None:
    """S62: what a bug report says of the demo data, everybody sees."""
    assert list(demo_data(300, "hash")) == list(demo_data(300, "hash"))


def test_totals_are_those_of_the_lines() -> None:
    """S62: believable data adds up."""
    batches = list(demo_data(400, "hash"))
    totals: Counter[int] = Counter()
    for model, batch in batches:
        if model is OrderLine:
            for row in batch:
                totals[row["order_id"]] += row["quantity"] * row["unit_price"]
    orders = [row for model, batch in batches if model is Order for row in batch]
    assert {row["id"]: row["total"] for row in orders} == totals


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_several_at_once_fill_it_once(shop_app: FastAPI, database_url: str) -> None:
    """S62: of processes that start together one fills the database, and the others wait and find it filled."""
    others = [Database(database_url) for _ in range(3)]
    stored = await asyncio.gather(*(seed(other, 100) for other in others))
    for other in others:
        await other.dispose()
    assert sorted(stored) == [0, 0, 100]
    assert sum((await count(shop_app.state.database)).values()) == 100
