"""The reference application as it runs in production, and what it lets be seen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.main import build
from colonnade import Base, Database, Settings

KEY = "k" * 32


@asynccontextmanager
async def observed(url: str = "sqlite://", **settings: Any) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """Start the reference application with its tables, and give it with a client at its root."""
    given = {"env": "production", "database_url": "sqlite://", "secret_key": KEY, "rate_limit": "off", **settings}
    chosen = Settings(_env_file=None, **given)
    database = Database(url, pool=chosen.pool, metadata=Base.metadata)
    app = build(chosen, database)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://shop.test")
    async with app.router.lifespan_context(app), client:
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield app, client


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Give the JSON lines that were written to stdout since the last look."""
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    """Read `/metrics`: each series, as it is written, and its value."""
    text = (await client.get("/metrics")).text
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in rows}
