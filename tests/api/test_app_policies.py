"""Who may do what in the reference application, by its own words, with tokens as clients send them."""

from __future__ import annotations

import httpx
import pytest

from tests.magazine import told
from tests.shop import Json, bearer, line, new_product, new_user, sign_in

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


@pytest.fixture
async def ada(shop: Client, anybody: Client) -> Client:
    """A client of Ada's, who has registered herself and signed in; Bob is there, too."""
    await new_user(anybody, "ada")
    await new_user(anybody, "bob")
    anybody.headers.update(bearer(await sign_in(anybody, "ada")))
    return anybody


async def test_a_user_sees_no_other_address(ada: Client, shop: Client) -> None:
    """S11, S78: others without their e-mail, herself whole, and no way to ask by what is hidden."""
    mine, theirs = (await ada.get("users/1")).json(), (await ada.get("users/2")).json()
    assert (mine["email"], "email" in theirs, theirs["username"]) == ("ada@example.com", False, "bob")
    assert (await ada.get("users/me")).json()["email"] == "ada@example.com"
    for question in ("fields=email", "sort=email", "email=bob"):
        hidden, unknown = (
            await ada.get(f"users?{question}"),
            await ada.get(f"users?{question.replace('email', 'nothing', 1)}"),
        )
        assert hidden.status_code == 422
        assert told(hidden, "email") == told(unknown, "nothing")
    assert all("email" in row for row in (await shop.get("users")).json()["users"])


async def test_a_user_changes_herself_and_not_her_power(ada: Client, shop: Client) -> None:
    """Mass assignment: role, deletion and hash are no fields that a user may send; an administrator gives a role."""
    assert (await ada.patch("users/1", json={"bio": "Writes."})).status_code == 200
    for values in (
        {"role": "admin"}, {"is_active": False}, {"hashed_password": "x"}, {"password": "other-1843"}, {"id": 9},
        {"is_deleted": True}, {"token_version": 9}, {"email": "eve@example.com"}, {"created_at": "2026-01-01T00:00:00Z"},
    ):  # fmt: skip
        answer = await ada.patch("users/1", json=values)
        assert answer.status_code == 422, values
        assert answer.json()["errors"][0]["code"] == "extra_forbidden"
    assert (await ada.patch("users/1", json={"version": 9, "bio": "x"})).status_code == 409
    assert (await ada.patch("users/2", json={"bio": "Mine."})).status_code == 403
    assert (await shop.patch("users/1", json={"role": "staff"})).json()["role"] == "staff"
    assert (await ada.post("products", json={"name": "Lamp", "price": 1})).status_code == 201  # at her next request


async def test_registering_gives_no_role(anybody: Client) -> None:
    """Whoever registers is a user, whatever else is sent."""
    values = {"email": "eve@example.com", "username": "eve", "password": "analytical-1843"}
    assert (await anybody.post("users", json={**values, "role": "admin"})).status_code == 422
    assert (await anybody.post("users", json=values)).json()["role"] == "user"


async def test_an_order_is_placed_for_oneself_and_moved_on_by_the_shop(ada: Client, shop: Client) -> None:
    """A user may cancel an order that is pending, and nothing else; staff and administrators move it on."""
    product = await new_product(shop)

    async def order(user: int) -> httpx.Response:
        return await ada.post("orders", json={"user_id": user, "lines": [line(product)]})

    async def turn(client: Client, order: Json, status: str) -> int:
        return (await client.patch(f"orders/{order['id']}", json={"status": status})).status_code

    assert (await order(2)).status_code == 403
    first, second = (await order(1)).json(), (await order(1)).json()
    assert [await turn(ada, first, status) for status in ("paid", "cancelled", "paid")] == [403, 200, 403]
    assert await turn(shop, second, "paid") == 200
    assert await turn(ada, second, "cancelled") == 403
    assert await turn(shop, second, "shipped") == 200


async def test_drafts_are_their_authors(ada: Client, shop: Client) -> None:
    """S6: everybody reads published posts, by every way; a draft is nobody's but its author's."""
    await shop.post("posts", json={"user_id": 2, "title": "Secret plan", "body": "x"})
    published = await shop.post("posts", json={"user_id": 2, "title": "Open plan", "body": "x", "published": True})
    assert published.status_code == 201
    for path in (
        "posts",
        "users/2/posts",
        "posts?title__contains=plan",
        "posts?published__in=true,false",
        "posts?cursor=",
    ):
        assert [row["title"] for row in (await ada.get(path)).json()["posts"]] == ["Open plan"], path
    assert (await ada.get("posts?published=false")).json()["total"] == 0
    assert (await ada.get("posts/2?include=user.profile")).json()["user"]["username"] == "bob"
    assert (await ada.post("posts", json={"user_id": 2, "title": "As Bob", "body": "x"})).status_code == 403


async def test_another_profile_is_not_included_either(ada: Client, shop: Client) -> None:
    """What may not be read by its own address is null where it would be included."""
    for user in (1, 2):
        assert (await shop.post("user-profiles", json={"user_id": user, "bio": "Private."})).status_code == 201
    rows = (await ada.get("users?include=profile&sort=id")).json()["users"]
    assert [row["profile"] and row["profile"]["bio"] for row in rows] == ["Private.", None]


async def test_an_account_is_made_one_at_a_time(anybody: Client) -> None:
    """S27: each account costs a mail to whomever somebody names; nobody makes a thousand of them in one request."""
    values = {"email": "eve@example.com", "username": "eve", "password": "analytical-1843"}
    assert (await anybody.post("users/bulk", json={"items": [values]})).status_code in {404, 405}
    path = "/api/v1/users/bulk"
    batch = {"operations": [{"id": "a", "method": "POST", "path": path, "body": {"items": [values]}}]}
    assert (await anybody.post("batch", json=batch)).status_code == 422


async def test_an_administrator_does_not_end_his_own_power(ada: Client, shop: Client) -> None:
    """S78: another one has to, so there is always one who can give it back."""
    await shop.patch("users/1", json={"role": "admin"})
    for values in ({"role": "user"}, {"is_active": False}):
        assert (await ada.patch("users/1", json=values)).status_code == 409
    assert (await ada.delete("users/1")).status_code == 409
    assert (await ada.patch("users/1", json={"role": "admin", "bio": "Writes."})).status_code == 200
    assert (await shop.patch("users/1", json={"role": "user"})).json()["role"] == "user"
