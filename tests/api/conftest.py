"""The reference application on a fresh database, asked as a client asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.main import build
from colonnade import Base, Database, Settings
from tests.shop import administrator_of, anybody_of, let_act


@pytest.fixture
async def shop_app(database_url: str) -> AsyncIterator[FastAPI]:
    """The reference application, started, on an empty database."""
    settings = Settings(env="test", _env_file=None)
    app = build(settings, Database(database_url, pool=settings.pool, metadata=Base.metadata))
    async with app.router.lifespan_context(let_act(app)):
        yield app


@pytest.fixture
async def shop(shop_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, an administrator's unless it sends a token; paths are relative to `/api/`."""
    async with administrator_of(shop_app) as client:
        yield client


@pytest.fixture
async def anybody(shop_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it that sends no credentials."""
    async with anybody_of(shop_app) as client:
        yield client
