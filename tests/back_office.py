"""Visiting the administrator's page of the reference application, as a browser does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from app.main import build
from app.models import Base
from colonnade import Database, Settings

ADMIN, PASSWORD = "root@example.com", "analytical-1843"


@asynccontextmanager
async def back_office(database_url: str, **settings: Any) -> AsyncIterator[FastAPI]:
    """Start the reference application with its administrator and the page, on an empty database."""
    given = {"env": "test", "admin": True, "admin_email": ADMIN, "admin_password": PASSWORD, **settings}
    read = Settings(_env_file=None, **given)
    app = build(read, Database(database_url, pool=read.pool, metadata=Base.metadata))
    async with app.router.lifespan_context(app):
        yield app


class Visitor:
    """Somebody with a browser: keeps cookies, follows no redirect, sends the forms' tokens along."""

    def __init__(self, app: FastAPI, scheme: str = "http") -> None:
        transport = httpx.ASGITransport(app)
        self.client = httpx.AsyncClient(transport=transport, base_url=f"{scheme}://shop.test")

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        """Open a page below `/admin`."""
        return await self.client.get(f"/admin{path}", params=parameters)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send the form of a page, with the token that the page was given."""
        token = re.search(r'name="csrftoken" value="([^"]+)"', (await self.get(path)).text)
        assert token is not None, "the page has no form"
        return await self.client.post(f"/admin{path}", data={"csrftoken": token[1], **fields})

    async def sign_in(self, name: str = ADMIN, password: str = PASSWORD, target: str = "") -> httpx.Response:
        """Send the login form."""
        path = f"/login?next={target}" if target else "/login"
        return await self.post(path, username=name, password=password)
