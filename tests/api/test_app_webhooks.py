"""The shop's webhooks: an administrator's affair, and orders are what they tell of."""

from __future__ import annotations

import json

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.models import User, UserRole
from colonnade.models.jobs import JOBS
from tests.library import create
from tests.shop import PASSWORD, line, new_product, new_user

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]

HOOK = {"url": "https://example.com/", "events": ["orders.*"], "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


async def test_only_an_administrator_says_who_is_told(anybody: httpx.AsyncClient, shop_app: FastAPI) -> None:
    """S26, S78: what is sent shows whole orders."""
    assert (await anybody.post("webhooks", json=HOOK)).status_code == 401
    await new_user(anybody)
    signed_in = await anybody.post("auth/token", data={"username": "ada", "password": PASSWORD})
    bearer = {"authorization": f"Bearer {signed_in.json()['access_token']}"}
    assert (await anybody.post("webhooks", json=HOOK, headers=bearer)).status_code == 403
    assert (await anybody.get("webhooks", headers=bearer)).status_code == 403
    async with shop_app.state.database.unit_of_work() as unit:
        await unit.session.execute(sa.update(User).values(role=UserRole.ADMIN))
        await unit.commit()
    answer = await anybody.post("webhooks", json=HOOK, headers=bearer)
    assert (answer.status_code, "secret" in answer.json()) == (201, False)


async def test_an_order_is_an_event(shop: httpx.AsyncClient, shop_app: FastAPI) -> None:
    """S26: stored with it, and shows it with its lines as the API does."""
    user, product = await new_user(shop), await new_product(shop)
    order = await create(shop, "orders", user_id=user["id"], lines=[line(product)])
    async with shop_app.state.database.session() as session:
        published = JOBS.c.name == "colonnade.webhooks.publish"
        (arguments,) = await session.scalars(sa.select(JOBS.c.arguments).where(published))
    event = json.loads(arguments["payload"])
    assert (event["type"], event["data"]) == ("orders.created", order)
