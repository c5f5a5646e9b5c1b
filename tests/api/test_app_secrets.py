"""A password goes in and never comes out, neither as it is nor as its hash."""

from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.main import build
from app.models import User
from colonnade import Database, Settings
from tests.library import create
from tests.shop import PASSWORD, line, new_product, new_user

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


async def test_no_route_shows_a_password_or_its_hash(shop: Client) -> None:
    """S11: nothing that any GET of the application answers names one."""
    user = await new_user(shop)
    await create(shop, "user-profiles", user_id=user["id"])
    await create(shop, "posts", user_id=user["id"], title="Notes", body="...")
    await create(shop, "categories", name="Lamps")
    await create(shop, "orders", user_id=user["id"], lines=[line(await new_product(shop))])
    for part in ("users", "user-profiles", "posts", "categories", "products", "orders", "users/1/posts"):
        for path in (part, f"{part}/1"):
            answer = await shop.get(path)
            assert answer.status_code == 200 or path == "users/1/posts/1"
            assert "password" not in answer.text
            assert "argon2" not in answer.text


@pytest.mark.parametrize(
    "change",
    [{"email": "no address"}, {"username": "!"}, {"password": PASSWORD * 20}, {"extra": 1}, {"full_name": 5}],
)
@pytest.mark.databases("sqlite-memory")
async def test_a_refusal_does_not_repeat_the_password(
    shop: Client, change: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """S11, S18: neither the 422 nor the log has it."""
    caplog.set_level(logging.DEBUG)
    body = {"email": "ada@example.com", "username": "ada", "password": PASSWORD, **change}
    answer = await shop.post("users", json=body)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert PASSWORD not in caplog.text


async def test_a_conflict_shows_neither_sql_nor_hash(shop: Client, caplog: pytest.LogCaptureFixture) -> None:
    """S11, S18: a 409 has no SQL, no driver's words, no constraint's name and no hash in it, and the log has no password."""
    caplog.set_level(logging.DEBUG)
    await new_user(shop)
    answer = await shop.post("users", json={"email": "ada@example.com", "username": "x_1", "password": PASSWORD})
    assert answer.status_code == 409
    for word in ("INSERT", "argon2", "ix_users", "UNIQUE", "Duplicate", PASSWORD):
        assert word not in answer.text
    assert PASSWORD not in caplog.text


async def test_a_failure_inside_shows_neither_sql_nor_hash(shop_app: FastAPI, shop: Client) -> None:
    """S18, S19: when the table is gone the answer is a generic 500 with a request id."""
    async with shop_app.state.database.engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE user_profiles")
    answer = await shop.post("user-profiles", json={"user_id": 1, "bio": "private words"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    for word in ("user_profiles", "INSERT", "private words", "Traceback"):
        assert word not in answer.text


async def test_a_repr_shows_no_hash(shop_app: FastAPI, shop: Client) -> None:
    """S11: what a log or a debugger shows of a user has neither."""
    await new_user(shop)
    async with shop_app.state.database.session(read_only=True) as session:
        shown = repr((await session.scalars(select(User))).one())
    assert "ada@example.com" in shown
    assert "argon2" not in shown


async def test_no_schema_of_a_response_has_a_password() -> None:
    """S11, S28: OpenAPI names a password in bodies that are sent only, and says that it is one."""
    document = build(Settings(env="test", _env_file=None), Database("sqlite://")).openapi()  # type: ignore[call-arg]
    schemas = document["components"]["schemas"]
    named = {name for name, schema in schemas.items() if "password" in str(schema.get("properties"))}
    sent = {"UserCreate", "UserBulkCreate", "PasswordChange", "RefreshBody", "LinkBody", "ResetBody"}
    assert {"UserCreate"} <= named <= sent
    assert schemas["UserCreate"]["properties"]["password"]["format"] == "password"
