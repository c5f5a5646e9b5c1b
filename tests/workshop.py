"""A small application whose rows keep a history: tools, the parts that go with them, and the labels that hang on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.orm import Mapped, mapped_column

from colonnade import (
    Base,
    Database,
    ExactDecimal,
    IntegerId,
    JsonDocument,
    Listing,
    Policy,
    Resource,
    Routes,
    SoftDelete,
    Timestamps,
    Versioned,
    allow,
    anyone,
    record_changes,
    role,
    signed_in,
    when_parent_deleted,
)
from colonnade.models.base import NAMING_CONVENTION
from tests.library import create
from tests.magazine import Watching, client_of, magazine_app

Json = dict[str, Any]


class Bench(Base):
    """The base of this application's models; its tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Tool(IntegerId, Timestamps, Versioned, SoftDelete, Bench):
    """Something to work with; whose it is sees what it costs, and nobody its secret."""

    __tablename__ = "tools"

    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    owner_id: Mapped[int] = mapped_column(default=1)
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(10, 2))
    opens: Mapped[time | None]
    bought: Mapped[datetime | None]
    extra: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    lock_secret: Mapped[str | None] = mapped_column(sa.String(50))


class ToolPart(IntegerId, Versioned, SoftDelete, Bench):
    """Goes with its tool."""

    __tablename__ = "tool_parts"

    tool_id: Mapped[int] = mapped_column(sa.ForeignKey("tools.id"), info=when_parent_deleted("cascade"))
    name: Mapped[str] = mapped_column(sa.String(50))


class ToolLabel(Bench):
    """Known by a text that somebody chooses; deleted for good."""

    __tablename__ = "tool_labels"

    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    words: Mapped[str] = mapped_column(sa.String(50))
    owner_id: Mapped[int] = mapped_column(default=1)


TOOLS = Policy(
    allow("read", to=anyone, hide=["price"]),
    allow("read", "read_history", "update", to=signed_in, own="owner_id"),
    allow("read_deleted", "read_history", to=role("keeper"), where={"name": "Saw"}),
    allow("everything", to=role("admin")),
)
LABELS = Policy(allow("read", "read_history", to=signed_in, own="owner_id"), allow("everything", to=role("admin")))


class Renaming(Watching):
    """Writes to the parts of a tool what it is called, by a statement of its own."""

    async def after_update(self, change: Any) -> None:
        """Name the parts after the tool."""
        parts = (await change.session.scalars(sa.select(ToolPart.id).where(ToolPart.tool_id == change.id))).all()
        async with record_changes(change, ToolPart, parts):
            await change.session.execute(
                sa.update(ToolPart.__table__)  # type: ignore[arg-type]  # a Table
                .where(ToolPart.id.in_(parts))
                .values(name=change.row.name, version=ToolPart.version + 1)
            )


@cache
def workshop_resources(*, watched: bool = False, renaming: bool = False) -> tuple[Resource, ...]:
    """Declare the resources, once."""
    service = Renaming() if renaming else Watching() if watched else None
    tools = Resource(
        Tool,
        listing=Listing(deleted=True),
        service=service,
        routes=Routes(replace=True, permanent_delete=True, upsert=("name",), history=True),
        policy=TOOLS,
    )
    parts = Resource(ToolPart, service=Watching() if watched else None, routes=Routes(history=True))
    labels = Resource(ToolLabel, service=Watching() if watched else None, routes=Routes(history=True), policy=LABELS)
    return tools, parts, labels


ADMIN = "1 admin"


@asynccontextmanager
async def workshop(database_url: str, **kinds: bool) -> AsyncIterator[FastAPI]:
    """Start the application on an empty database."""
    resources = workshop_resources(**kinds)
    app = magazine_app(Database(database_url, metadata=Bench.metadata), resources)
    async with app.router.lifespan_context(app):
        yield app


async def new_tool(client: httpx.AsyncClient, name: str = "Saw", **values: Any) -> Json:
    """Make a tool."""
    return await create(client, "tools", name=name, **values)


async def history(client: httpx.AsyncClient, path: str, query: str = "") -> list[Json]:
    """Give the entries of a row, the oldest first."""
    answer = await client.get(f"{path}/history?{query}")
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["history"]
    return found[::-1]


async def told(client: httpx.AsyncClient, path: str) -> list[tuple[str, int | None, Json]]:
    """Give what each entry of a row says was done, the version after it, and what changed."""
    return [(entry["operation"], entry["version"], entry["changes"]) for entry in await history(client, path)]


__all__ = ["ADMIN", "client_of", "history", "new_tool", "told", "workshop"]
