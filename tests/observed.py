"""A small application as it runs in production, and what it lets be seen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    Cache,
    Database,
    ExactDecimal,
    IntegerId,
    JobRun,
    Listing,
    Resource,
    Routes,
    Settings,
    create_app,
    job,
    job_table,
)
from colonnade.models.base import NAMING_CONVENTION

KEY = "k" * 32


class Fixtures(DeclarativeBase):
    """The base of this application's models."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Lamp(IntegerId, Fixtures):
    """What is sold."""

    __tablename__ = "lamps"

    name: Mapped[str] = mapped_column(sa.String(100), index=True)
    price: Mapped[Decimal] = mapped_column(ExactDecimal(10, 2), default=Decimal(5))
    room_id: Mapped[int | None] = mapped_column(sa.ForeignKey("rooms.id"))


class Room(IntegerId, Fixtures):
    """Where lamps stand."""

    __tablename__ = "rooms"

    name: Mapped[str] = mapped_column(sa.String(100))


job_table(Fixtures.metadata)

lamps = Resource(Lamp, listing=Listing(filters=["name", "price", "room_id"], sorts=["price", "id"]))


@job
async def polish(run: JobRun, name: str) -> None:
    """Make a lamp shine."""


rooms = Resource(Room, routes=Routes(parts={"lamps": (lamps, "room_id")}, cache=Cache()))


@asynccontextmanager
async def observed(
    url: str = "sqlite://", telemetry: TelemetryConfig | None = None, **settings: Any
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """Start the application with its tables, and give it with a client at its root."""
    given = {
        "jobs": False,
        "env": "production",
        "database_url": url,
        "secret_key": KEY,
        "rate_limit": "off",
        **settings,
    }
    chosen = Settings(_env_file=None, **given)
    database = Database.from_settings(chosen, Fixtures.metadata)
    app = create_app([lamps, rooms], settings=chosen, database=database, telemetry=telemetry, jobs=[polish])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://lamps.test")
    async with app.router.lifespan_context(app), client:
        async with database.engine.begin() as connection:
            await connection.run_sync(Fixtures.metadata.create_all)
        yield app, client


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Give the JSON lines that were written to stdout since the last look."""
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    """Read `/metrics`: each series, as it is written, and its value."""
    text = (await client.get("/metrics")).text
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in rows}
