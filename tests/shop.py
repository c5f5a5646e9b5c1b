"""Making what a test of the reference application needs, by its own API."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Scope

from colonnade import Database, Principal
from tests.library import create

HOST = "http://shop.test"
PASSWORD = "analytical-1843"

Json = dict[str, Any]


ADMINISTRATOR = Principal(0, "admin")
"""Who asks in the tests that are not about who asks: no row, so that the users whom a test makes are numbered from 1."""

_ACTING = {"X-Acting": "administrator"}


def let_act(app: FastAPI) -> FastAPI:
    """Have an application know the administrator of these tests by a header; who sends a token is who it says."""
    authenticate = app.state.colonnade.authenticate

    async def acting(scope: Scope, database: Database) -> Principal:
        found: Principal = await authenticate(scope, database)
        return ADMINISTRATOR if found.is_anonymous and (b"x-acting", b"administrator") in scope["headers"] else found

    app.state.colonnade.authenticate = acting
    return app


def administrator_of(app: FastAPI, prefix: str = "/api/") -> httpx.AsyncClient:
    """Make a client that acts as an administrator; paths are relative to the prefix."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"{HOST}{prefix}", headers=_ACTING)


def anybody_of(app: FastAPI, prefix: str = "/api/") -> httpx.AsyncClient:
    """Make a client of somebody who has not signed in."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{HOST}{prefix}")


async def new_user(shop: httpx.AsyncClient, name: str = "ada") -> Json:
    """Make a user."""
    return await create(shop, "users", email=f"{name}@example.com", username=name, password=PASSWORD, full_name="Ada L")


async def new_product(shop: httpx.AsyncClient, name: str = "Lamp", price: float = 19.9, quantity: int = 10) -> Json:
    """Make a product with a stock."""
    return await create(shop, "products", name=name, price=price, quantity=quantity)


def line(product: Json, quantity: int = 1) -> Json:
    """Give one line of an order."""
    return {"product_id": product["id"], "quantity": quantity}


def faults(answer: httpx.Response) -> list[tuple[str, str]]:
    """Give the places and codes of a problem document, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    return [(fault.get("pointer") or fault.get("parameter"), fault["code"]) for fault in answer.json()["errors"]]


async def sign_in(shop: httpx.AsyncClient, name: str, password: str = PASSWORD) -> Json:
    """Sign in and give the tokens."""
    answer = await shop.post("auth/token", data={"username": name, "password": password})
    assert answer.status_code == 200, answer.text
    tokens: Json = answer.json()
    return tokens


def bearer(tokens: Json) -> dict[str, str]:
    """Give the header of a request by whoever has these tokens."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}
