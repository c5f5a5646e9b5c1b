"""What guide B does with products, from outside, on every database."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from app.models import Product
from tests.library import create
from tests.shop import HOST, faults, new_product

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


async def test_create_answers_the_stored_row(shop: Client) -> None:
    """S49, S50: 201 with the id, the stock that the database adds, version and times; Location leads to the row."""
    answer = await shop.post("products", json={"name": "Lamp", "price": 19.9})
    assert answer.status_code == 201
    row = answer.json()
    assert (row["id"], row["quantity"], row["version"], row["description"]) == (1, 0, 1, None)
    assert row["created_at"].endswith("Z")
    assert (await shop.get(HOST + answer.headers["location"])).json() == row


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "x" * 101), ("name", None), ("description", "x" * 501), ("price", 0), ("price", -1),
        ("price", 1.999), ("price", 10**8), ("quantity", -1), ("quantity", 2**31), ("colour", "red"), ("id", 7),
    ],
)  # fmt: skip
@pytest.mark.databases("sqlite-memory")
async def test_create_refuses_what_does_not_fit(shop: Client, field: str, value: object) -> None:
    """S48, S61: 422 that names the field."""
    answer = await shop.post("products", json={"name": "Lamp", "price": 19.9, field: value})
    assert answer.status_code == 422
    assert [place for place, _ in faults(answer)] == [f"/{field}"]


@pytest.mark.parametrize("missing", ["name", "price"])
@pytest.mark.databases("sqlite-memory")
async def test_create_needs_name_and_price(shop: Client, missing: str) -> None:
    """S48, S61: a product without a name or a price is a 422 that names it."""
    body = {"name": "Lamp", "price": 19.9}
    del body[missing]
    assert faults(await shop.post("products", json=body)) == [(f"/{missing}", "missing")]


async def test_prices_are_exact(shop: Client) -> None:
    """S42: a price comes back with the digits that it was sent with, which no binary fraction has."""
    await new_product(shop, price=0.1)
    answer = await shop.get("products/1")
    assert '"price":0.10' in answer.text


async def test_list_takes_skip_and_limit(shop: Client) -> None:
    """S49, S79: `skip` and `limit` cut the list, and the total is that of all rows."""
    for number in range(5):
        await new_product(shop, f"Lamp {number}")
    body = (await shop.get("products", params={"skip": 1, "limit": 2})).json()
    assert [row["name"] for row in body["products"]] == ["Lamp 1", "Lamp 2"]
    assert (body["total"], body["skip"], body["limit"]) == (5, 1, 2)


async def test_list_filters_and_orders(shop: Client) -> None:
    """S51: filters are AND-ed, the order is the asked one, and the total counts what the filters let through."""
    for name, price in [("Lamp", 30), ("Lamp", 10), ("Chair", 20), ("Lamp", 20)]:
        await new_product(shop, name, price)
    body = (await shop.get("products?name=Lamp&price__gte=20&sort=-price")).json()
    assert [row["price"] for row in body["products"]] == [30, 20]
    assert body["total"] == 2


async def test_a_falsy_filter_counts(shop: Client) -> None:
    """S80: `quantity=0` is a filter, not the lack of one."""
    await new_product(shop, "Sold out", quantity=0)
    await new_product(shop, "Here", quantity=1)
    assert [row["name"] for row in (await shop.get("products?quantity=0")).json()["products"]] == ["Sold out"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_update_changes_only_what_was_sent(shop: Client, method: str) -> None:
    """S13, S49: PATCH, and guide B's PUT, leave alone what the body does not name; the version goes up by one."""
    before = await new_product(shop)
    answer = await shop.request(method, "products/1", json={"price": 5})
    assert answer.status_code == 200
    after = answer.json()
    assert (after["price"], after["version"]) == (5, 2)
    assert {**after, "price": 0, "version": 0, "updated_at": 0} == {**before, "price": 0, "version": 0, "updated_at": 0}
    assert (await shop.get("products/1")).json() == after


async def test_update_takes_null_only_where_the_column_does(shop: Client) -> None:
    """S13: null empties a description, and is a 422 on a name."""
    await create(shop, "products", name="Lamp", price=1, description="Bright")
    assert (await shop.patch("products/1", json={"description": None})).json()["description"] is None
    assert (await shop.patch("products/1", json={"name": None})).status_code == 422


async def test_delete_answers_204_and_then_404(shop: Client) -> None:
    """S35, S49: a deleted product is gone, and deleting it again says so."""
    await new_product(shop)
    answer = await shop.delete("products/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await shop.get("products/1")).status_code == 404
    assert (await shop.delete("products/1")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_a_missing_product_is_a_clear_404(shop: Client, method: str) -> None:
    """S49, S61: the text says what was not found."""
    body = None if method in {"GET", "DELETE"} else {"price": 5}
    answer = await shop.request(method, "products/99", json=body)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Product 99 not found."


async def test_a_category_must_exist(shop: Client) -> None:
    """S17, S18: a broken reference is a 409 that names the field and no constraint."""
    answer = await shop.post("products", json={"name": "Lamp", "price": 1, "category_id": 99})
    assert answer.status_code == 409
    assert faults(answer) == [("/category_id", "reference_missing")]
    assert "fk_" not in answer.text


async def test_a_category_with_products_stays(shop: Client) -> None:
    """S17: deleting what others refer to is a 409, and nothing is deleted."""
    category = await create(shop, "categories", name="Lamps")
    await create(shop, "products", name="Lamp", price=1, category_id=category["id"])
    assert (await shop.delete("categories/1")).status_code == 409
    assert (await shop.get("categories/1/products")).json()["total"] == 1


async def test_one_of_equal_creates_wins(shop: Client) -> None:
    """S14, S61: of 20 equal creates at once exactly one is a 201 and the rest are 409, 50 times over."""
    for number in range(50):
        body = {"name": f"Shelf {number}"}
        answers = await asyncio.gather(*(shop.post("categories", json=body) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert (await shop.get("categories")).json()["total"] == 50


async def test_a_refused_change_leaves_nothing(shop: Client) -> None:
    """S21, S61, S76: a PATCH of two fields whose second is refused by the database changes neither."""
    before = await new_product(shop)
    assert (await shop.patch("products/1", json={"name": "Other", "category_id": 99})).status_code == 409
    assert (await shop.get("products/1")).json() == before


async def test_a_unit_of_work_rolls_back(shop_app: FastAPI, shop: Client) -> None:
    """S21, S45, S61: what is not committed is not stored."""
    async with shop_app.state.database.unit_of_work() as unit:
        unit.session.add(Product(name="Lamp", price=Decimal(1), quantity=1))
        await unit.session.flush()
        assert await unit.session.scalar(select(func.count(Product.id))) == 1
    assert (await shop.get("products")).json()["total"] == 0


async def test_the_category_comes_along_when_it_is_asked_for(shop: Client) -> None:
    """S51, S53: `include=category` shows it beside the product, `fields=` only what is named."""
    category = await create(shop, "categories", name="Lamps")
    await create(shop, "products", name="Lamp", price=1, category_id=category["id"])
    await new_product(shop, "Loose")
    rows = (await shop.get("products?include=category&fields=name,category")).json()["products"]
    assert rows == [{"name": "Lamp", "category": {"id": 1, "name": "Lamps"}}, {"name": "Loose", "category": None}]
    assert "category" not in (await shop.get("products/1")).json()
    assert (await shop.get("products?include=orders")).status_code == 422
