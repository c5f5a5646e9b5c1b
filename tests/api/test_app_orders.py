"""Orders: parent and children in one transaction, and a stock that never goes below zero."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from fastapi import FastAPI

from tests.library import create
from tests.shop import Json, faults, line, new_product, new_user

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


async def stock(shop: Client) -> list[int]:
    """Give what is left of each product, by id."""
    return [row["quantity"] for row in (await shop.get("products?skip=0&limit=100&sort=id")).json()["products"]]


async def order(shop: Client, *lines: Json) -> httpx.Response:
    """Order something for the first user."""
    return await shop.post("orders", json={"user_id": 1, "lines": list(lines)})


async def test_an_order_is_stored_whole(shop: Client) -> None:
    """S75: order, lines, copied prices and exact total; the stock and the products' versions go along."""
    await new_user(shop)
    lamp, chair = await new_product(shop, "Lamp", 19.9, 10), await new_product(shop, "Chair", 0.1, 5)
    answer = await order(shop, line(chair, 3), line(lamp, 2))
    assert answer.status_code == 201
    row = answer.json()
    assert [(entry["product_id"], entry["quantity"], entry["unit_price"]) for entry in row["lines"]] == [
        (2, 3, 0.1),
        (1, 2, 19.9),
    ]
    assert (row["status"], '"total":40.10' in answer.text) == ("pending", True)
    assert await stock(shop) == [8, 2]
    assert (await shop.get("products/1")).json()["version"] == 2
    assert (await shop.get("orders/1")).json() == row
    assert (await shop.get("orders")).json()["orders"] == [row]


async def test_a_later_price_leaves_an_order_alone(shop: Client) -> None:
    """S75: a line keeps the price of the moment when it was ordered."""
    await new_user(shop)
    await order(shop, line(await new_product(shop, price=10)))
    await shop.patch("products/1", json={"price": 99})
    assert (await shop.get("orders/1")).json()["lines"][0]["unit_price"] == 10


async def test_what_is_short_is_named_and_nothing_is_stored(shop: Client) -> None:
    """S76, S77: 409 that names each line at fault; the lines that could be had are not taken either."""
    await new_user(shop)
    lamp, chair = await new_product(shop, "Lamp", quantity=10), await new_product(shop, "Chair", quantity=1)
    answer = await order(shop, line(lamp), line(chair, 2), {"product_id": 99, "quantity": 1})
    assert answer.status_code == 409
    assert faults(answer) == [("/lines/1/quantity", "out_of_stock"), ("/lines/2/product_id", "reference_missing")]
    assert await stock(shop) == [10, 1]
    assert (await shop.get("orders")).json()["total"] == 0


async def test_a_product_stands_in_one_line(shop: Client) -> None:
    """S77: the same product twice is a 422 that names the second line."""
    await new_user(shop)
    lamp = await new_product(shop)
    answer = await order(shop, line(lamp), line(lamp, 2))
    assert (answer.status_code, faults(answer)) == (422, [("/lines/1/product_id", "repeated")])


async def test_only_an_active_user_orders(shop: Client) -> None:
    """S77: 409 for a user who is not active, or not there at all."""
    await new_user(shop)
    lamp = await new_product(shop)
    await shop.patch("users/1", json={"is_active": False})
    assert faults(await order(shop, line(lamp))) == [("/user_id", "user_inactive")]
    answer = await shop.post("orders", json={"user_id": 99, "lines": [line(lamp)]})
    assert (answer.status_code, faults(answer)) == (409, [("/user_id", "reference_missing")])


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"user_id": 1, "lines": []}, "/lines"),
        ({"user_id": 1, "lines": [{"product_id": n, "quantity": 1} for n in range(1, 102)]}, "/lines"),
        ({"user_id": 1, "lines": [{"product_id": 1, "quantity": 0}]}, "/lines/0/quantity"),
        ({"user_id": 1, "lines": [{"product_id": 0, "quantity": 1}]}, "/lines/0/product_id"),
        ({"user_id": 1, "lines": [{"product_id": 1, "quantity": 1, "unit_price": 1}]}, "/lines/0/unit_price"),
        ({"user_id": 1, "lines": [{"product_id": 1, "quantity": 1}], "total": 1}, "/total"),
        ({"lines": [{"product_id": 1, "quantity": 1}]}, "/user_id"),
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_an_order_that_does_not_fit(shop: Client, body: Json, place: str) -> None:
    """S77: 422 that names the place; prices and totals are not the client's."""
    answer = await shop.post("orders", json=body)
    assert (answer.status_code, [where for where, _ in faults(answer)]) == (422, [place])


async def test_cancelling_puts_back_into_stock_once(shop: Client) -> None:
    """S77: what was cancelled can be sold again; the second time nothing happens."""
    await new_user(shop)
    await order(shop, line(await new_product(shop, quantity=5), 3))
    for _ in range(2):
        answer = await shop.patch("orders/1", json={"status": "cancelled"})
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert await stock(shop) == [5]


async def test_an_order_goes_one_way(shop: Client) -> None:
    """S77: pending, paid, shipped; a shipped one can't be cancelled."""
    await new_user(shop)
    await order(shop, line(await new_product(shop)))
    assert (await shop.patch("orders/1", json={"status": "shipped"})).status_code == 409
    assert (await shop.patch("orders/1", json={"status": "paid"})).status_code == 200
    assert (await shop.patch("orders/1", json={"status": "shipped"})).status_code == 200
    answer = await shop.patch("orders/1", json={"status": "cancelled"})
    assert (answer.status_code, faults(answer)) == (409, [("/status", "status_not_next")])
    assert (await shop.get("orders/1")).json()["version"] == 3


async def test_what_was_ordered_stays(shop: Client) -> None:
    """S17: neither the order, nor its products, nor its user can be deleted."""
    await new_user(shop)
    await order(shop, line(await new_product(shop)))
    assert [(await shop.delete(path)).status_code for path in ("orders/1", "products/1", "users/1")] == [405, 409, 409]
    assert (await shop.get("orders/1")).status_code == 200


async def test_twenty_buyers_at_once_take_no_more_than_there_is(shop: Client) -> None:
    """S75, S77: stock 25, twenty buyers of two each: twelve get it, eight are told, one is left, and the sums are right."""
    await new_user(shop)
    lamp = await new_product(shop, price=1.1, quantity=25)
    answers = await asyncio.gather(*(order(shop, line(lamp, 2)) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 12, 409: 8}
    assert await stock(shop) == [1]
    orders = (await shop.get("orders?skip=0&limit=100")).json()["orders"]
    assert sum(entry["quantity"] for row in orders for entry in row["lines"]) == 24
    assert {row["total"] for row in orders} == {2.2}
    assert (await shop.get("products/1")).json()["version"] == 13


async def test_buyers_of_the_same_things_in_any_order_do_not_lock_each_other_up(shop: Client) -> None:
    """S75: twenty orders of three products, each in another order of lines, and cancellations between: all of them done."""
    await new_user(shop)
    products = [await new_product(shop, f"Lamp {number}", quantity=100) for number in range(3)]

    async def buy(number: int) -> int:
        turned = products[number % 3 :] + products[: number % 3]
        answer = await order(shop, *(line(product) for product in (turned if number % 2 else reversed(turned))))
        if number % 4:
            return answer.status_code
        return (await shop.patch(f"orders/{answer.json()['id']}", json={"status": "cancelled"})).status_code

    assert Counter(await asyncio.gather(*(buy(number) for number in range(20)))) == {201: 15, 200: 5}
    assert await stock(shop) == [85, 85, 85]


async def test_a_crash_in_the_middle_leaves_nothing(
    shop_app: FastAPI, shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S21, S75, S76: an order whose last statement fails is a 500 without a trace in the answer or in the tables."""

    async def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    await new_user(shop)
    lamp = await new_product(shop)
    monkeypatch.setattr("app.services.order._change_stock", fail)
    answer = await order(shop, line(lamp))
    monkeypatch.undo()
    assert (answer.status_code, "secret detail" in answer.text) == (500, False)
    assert (await shop.get("orders")).json()["total"] == 0
    assert (await order(shop, line(lamp))).status_code == 201
    assert await stock(shop) == [9]


async def test_lists_filter_by_user_and_status(shop: Client) -> None:
    """S51: both filters, and lines come with every order."""
    await new_user(shop)
    lamp = await new_product(shop)
    for _ in range(2):
        await order(shop, line(lamp))
    await shop.patch("orders/2", json={"status": "paid"})
    body = (await shop.get("orders?user_id=1&status=paid")).json()
    assert ([row["id"] for row in body["orders"]], len(body["orders"][0]["lines"])) == ([2], 1)
    await create(shop, "users", email="b@example.com", username="bob", password="analytical-1843")
    assert (await shop.get("orders?user_id=2")).json() == {"orders": [], "total": 0, "page": 1, "page_size": 10}
