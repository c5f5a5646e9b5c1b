"""What guide A shows of users, profiles and posts, from outside, on every database."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from app.models import User, UserRole
from colonnade.security.passwords import check_password
from tests.library import create
from tests.shop import HOST, PASSWORD, faults, new_user

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient

NEW = {"email": "ada@example.com", "username": "ada", "password": PASSWORD, "full_name": "Ada Lovelace"}


async def test_create_answers_the_user_without_its_password(shop: Client) -> None:
    """S5, S9, S11: 201 with everything but the password."""
    answer = await shop.post("users", json=NEW)
    assert answer.status_code == 201
    row = answer.json()
    assert (row["id"], row["email"], row["username"], row["full_name"]) == (1, "ada@example.com", "ada", "Ada Lovelace")
    assert (row["role"], row["is_active"], row["bio"]) == ("user", True, None)
    assert "password" not in answer.text


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
async def test_both_prefixes_answer(shop: Client, prefix: str) -> None:
    """S3, S4: the newest version answers with and without its number, and says so in Location."""
    answer = await shop.post(f"{HOST}{prefix}/users", json=NEW)
    assert answer.headers["location"] == f"{prefix}/users/1"
    assert (await shop.get(f"{HOST}{prefix}/users/1")).json() == answer.json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "not an address"), ("email", "ada@nowhere"), ("username", "ad"), ("username", "a" * 51),
        ("username", "ada lovelace"), ("username", "adä"), ("username", "ada\n"), ("password", "short-1"),
        ("password", "no digit at all"), ("password", "1234567890"), ("password", "a1" * 65), ("full_name", "x" * 101),
        ("role", "admin"), ("is_active", False), ("hashed_password", "x"), ("id", 1),
    ],
)  # fmt: skip
@pytest.mark.databases("sqlite-memory")
async def test_create_refuses_what_does_not_fit(shop: Client, field: str, value: object) -> None:
    """S9, S17: 422 that names the field; what belongs to the server can't be set."""
    answer = await shop.post("users", json={**NEW, field: value})
    assert answer.status_code == 422
    assert [place for place, _ in faults(answer)] == [f"/{field}"]


@pytest.mark.parametrize("username", ["abc", "a" * 50, "Ada_1843"])
@pytest.mark.databases("sqlite-memory")
async def test_usernames_of_letters_digits_and_underscores(shop: Client, username: str) -> None:
    """S9: 3 to 50 of them are taken as they are."""
    assert (await create(shop, "users", **{**NEW, "username": username}))["username"] == username


async def test_a_duplicate_email_is_refused_whatever_its_case(shop: Client) -> None:
    """S14: 409 that names the field."""
    await new_user(shop)
    answer = await shop.post("users", json={**NEW, "email": "ADA@example.COM", "username": "other"})
    assert answer.status_code == 409
    assert faults(answer) == [("/email", "taken")]


async def test_a_duplicate_username_is_refused(shop: Client) -> None:
    """S14: 409 that names the field."""
    await new_user(shop)
    answer = await shop.post("users", json={**NEW, "email": "other@example.com"})
    assert (answer.status_code, faults(answer)) == (409, [("/username", "taken")])


async def test_one_of_equal_accounts_wins(shop: Client) -> None:
    """S14: of ten equal accounts at once one is made."""
    answers = await asyncio.gather(*(shop.post("users", json=NEW) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


@pytest.mark.real_hashes
async def test_the_password_is_stored_as_argon2id_hash(shop_app: FastAPI, shop: Client) -> None:
    """S36: with 19 MiB, two passes and one lane, and only the right password fits it."""
    await new_user(shop)
    async with shop_app.state.database.session(read_only=True) as session:
        hashed = (await session.scalars(select(User.hashed_password))).one()
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await check_password(PASSWORD, hashed)).right
    assert not (await check_password(PASSWORD + "!", hashed)).right


async def test_update_changes_only_what_was_sent(shop: Client) -> None:
    """S10, S13: full_name, bio and is_active, each by itself."""
    before = await new_user(shop)
    after = (await shop.patch("users/1", json={"bio": "Writes about engines.", "is_active": False})).json()
    assert (after["bio"], after["is_active"], after["version"]) == ("Writes about engines.", False, 2)
    assert after["full_name"] == before["full_name"]


async def test_an_empty_update_changes_nothing(shop: Client) -> None:
    """S13: not even the version (RFC 7396)."""
    before = await new_user(shop)
    answer = await shop.patch("users/1", json={})
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", "x" * 101), ("bio", "x" * 501), ("is_active", None), ("is_active", "maybe"), ("role", "king"),
        ("email", "b@example.com"), ("username", "other"), ("password", "other-1843"), ("version", "9"),
    ],
)  # fmt: skip
@pytest.mark.databases("sqlite-memory")
async def test_update_refuses_what_does_not_fit(shop: Client, field: str, value: object) -> None:
    """S10: 422 that names the field."""
    await new_user(shop)
    answer = await shop.patch("users/1", json={field: value})
    assert answer.status_code == 422
    assert [place for place, _ in faults(answer)] == [f"/{field}"]


async def test_delete_takes_profile_and_posts_along(shop: Client) -> None:
    """S5, S6, S35: 204, and what was the user's is gone with it."""
    user = await new_user(shop)
    await create(shop, "user-profiles", user_id=user["id"])
    await create(shop, "posts", user_id=user["id"], title="Notes", body="On the engine.")
    assert (await shop.delete("users/1")).status_code == 204
    assert [(await shop.get(path)).status_code for path in ("users/1", "user-profiles/1", "posts/1")] == [404] * 3


async def test_list_is_a_page_with_total(shop: Client) -> None:
    """S7, S12, S23, S33: ten a page unless asked otherwise, under the plural name, with the total of the same filter."""
    for number in range(12):
        await new_user(shop, f"ada_{number}")
    body = (await shop.get("users")).json()
    assert (len(body["users"]), body["total"], body["page"], body["page_size"]) == (10, 12, 1, 10)
    body = (await shop.get("users?page=3&page_size=5")).json()
    assert ([row["username"] for row in body["users"]], body["total"]) == (["ada_10", "ada_11"], 12)


async def test_list_filters_by_role_and_activity(shop_app: FastAPI, shop: Client) -> None:
    """S7, S23, S80: both filters, false included, and the total counts what they let through."""
    for name in ("ada", "bob", "cyd"):
        await new_user(shop, name)
    await shop.patch("users/2", json={"is_active": False})
    async with shop_app.state.database.unit_of_work() as unit:
        await unit.session.execute(update(User).where(User.id == 3).values(role=UserRole.ADMIN))
        await unit.commit()

    async def names(query: str) -> list[str]:
        body = (await shop.get(f"users?{query}")).json()
        assert body["total"] == len(body["users"])
        return [row["username"] for row in body["users"]]

    assert await names("role=admin") == ["cyd"]
    assert await names("is_active=false") == ["bob"]
    assert await names("role=user&is_active=true") == ["ada"]
    assert await names("sort=-username") == ["cyd", "bob", "ada"]


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page_size=0", "page_size=101", "role=king", "is_active=perhaps", "sort=hashed_password",
     "hashed_password=x", "email=ada@example.com", "colour=red", "limit=101", "skip=-1"],
)  # fmt: skip
@pytest.mark.databases("sqlite-memory")
async def test_list_refuses_what_it_does_not_know(shop: Client, query: str) -> None:
    """S7, S33: 422 that names the parameter; nothing unknown widens a list."""
    answer = await shop.get(f"users?{query}")
    assert answer.status_code == 422
    name = query.split("=", maxsplit=1)[0]
    assert [place for place, _ in faults(answer)] == [name]


@pytest.mark.parametrize("id", ["0", "-1", "1.0", "x", "99999999999999999999"])
@pytest.mark.databases("sqlite-memory")
async def test_ids_are_whole_numbers_from_one(shop: Client, id: str) -> None:
    """S8: anything else is a 422."""
    assert (await shop.get(f"users/{id}")).status_code == 422


async def test_posts_of_one_user(shop: Client) -> None:
    """S6: `/users/{id}/posts` shows that user's only, in pages, and is a 404 for nobody."""
    for name in ("ada", "bob"):
        user = await new_user(shop, name)
        for number in range(2):
            await create(shop, "posts", user_id=user["id"], title=f"{name} {number}", body="...")
    body = (await shop.get("users/2/posts?page_size=1&sort=-id")).json()
    assert ([post["title"] for post in body["posts"]], body["total"]) == (["bob 1"], 2)
    assert (await shop.get("posts")).json()["total"] == 4
    assert (await shop.get("users/99/posts")).status_code == 404


async def test_a_user_has_one_profile(shop: Client) -> None:
    """S6: the second one is a 409, and one of nobody too."""
    user = await new_user(shop)
    profile = await create(shop, "user-profiles", user_id=user["id"], website="https://example.com/ada", bio="Engines")
    assert profile["website"] == "https://example.com/ada"
    assert faults(await shop.post("user-profiles", json={"user_id": user["id"]})) == [("/user_id", "taken")]
    assert faults(await shop.post("user-profiles", json={"user_id": 99})) == [("/user_id", "reference_missing")]
    assert (await shop.get("user-profiles")).json()["user_profiles"] == [profile]


async def test_posts_show_their_author_without_secrets(shop: Client) -> None:
    """S11, S31, S51: author and profile come along when they are asked for, and no hash with them."""
    user = await new_user(shop)
    profile = await create(shop, "user-profiles", user_id=user["id"], location="London")
    await create(shop, "posts", user_id=user["id"], title="Notes", body="...")
    post = (await shop.get("posts/1?include=user,user.profile")).json()
    assert post["user"] == {"id": 1, "username": "ada", "full_name": "Ada L", "profile": profile}
    assert (await shop.get("posts?include=user.hashed_password")).status_code == 422
