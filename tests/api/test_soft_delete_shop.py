"""Soft deletion and versions as the shop uses them."""

from __future__ import annotations

import httpx
import pytest

from tests.library import create
from tests.shop import faults, line, new_product, new_user

pytestmark = pytest.mark.anyio


async def test_a_users_address_is_free_again(shop: httpx.AsyncClient) -> None:
    """S14, S74: who left frees e-mail and username, and can't come back while another has them."""
    await new_user(shop)
    assert (await shop.delete("users/1")).status_code == 204
    again = await new_user(shop)
    assert again["id"] == 2
    taken = await shop.post("users/1/restore")
    assert taken.status_code == 409
    assert faults(taken) in ([("/email", "taken")], [("/username", "taken")])
    assert (await shop.delete("users/2")).status_code == 204
    assert (await shop.post("users/1/restore")).json()["email"] == "ada@example.com"


async def test_a_users_posts_and_profile_go_and_come_with_it(shop: httpx.AsyncClient) -> None:
    """S74, S75: they are hidden with the user, and its restoring brings them back."""
    await new_user(shop)
    await create(shop, "posts", user_id=1, title="Notes", body="On the engine.")
    await create(shop, "user-profiles", user_id=1, bio="Writes.")
    assert (await shop.delete("users/1")).status_code == 204
    assert [(await shop.get(path)).status_code for path in ("posts/1", "user-profiles/1", "users/1/posts")] == [404] * 3
    assert (await shop.post("users/1/restore")).status_code == 200
    assert [(await shop.get(path)).status_code for path in ("posts/1", "user-profiles/1", "users/1/posts")] == [200] * 3


async def test_a_user_with_orders_stays(shop: httpx.AsyncClient) -> None:
    """S74: orders refuse their user's deletion, and their products'; a deleted product is not sold."""
    await new_user(shop)
    lamp, desk = await new_product(shop), await new_product(shop, "Desk")
    await create(shop, "orders", user_id=1, lines=[line(lamp)])
    assert [(await shop.delete(path)).status_code for path in ("users/1", "products/1", "products/2")] == [
        409,
        409,
        204,
    ]
    answer = await shop.post("orders", json={"user_id": 1, "lines": [line(desk)]})
    assert (answer.status_code, faults(answer)) == (409, [("/lines/0/product_id", "reference_missing")])


async def test_a_products_change_is_of_a_version(shop: httpx.AsyncClient) -> None:
    """S73: an order takes from the stock and is a change of the product, so that an older change is refused."""
    await new_user(shop)
    lamp = await new_product(shop)
    tag = (await shop.get("products/1")).headers["etag"]
    await create(shop, "orders", user_id=1, lines=[line(lamp)])
    assert (await shop.put("products/1", json={"quantity": 99}, headers={"if-match": tag})).status_code == 412
    assert (await shop.put("products/1", json={"quantity": 99, "version": 1})).status_code == 409
    assert (await shop.put("products/1", json={"quantity": 99, "version": 2})).json()["quantity"] == 99
