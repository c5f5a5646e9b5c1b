"""A small application with a column of every kind, for tests of what each resource does by itself."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

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
    PoolSettings,
    Resource,
    Routes,
    Service,
    Settings,
    Timestamps,
    UUIDv7Id,
    Versioned,
    create_app,
    install,
)
from colonnade.models.base import NAMING_CONVENTION

HOST = "http://library.test"
Json = dict[str, Any]


class Shelf(Base):
    """The base of this application's models; its tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Binding(enum.Enum):
    """How a book is bound."""

    HARD = "hard cover"
    SOFT = "soft cover"


class Publisher(UUIDv7Id, Shelf):
    """Publishes books; has a UUID and neither version nor times."""

    __tablename__ = "publishers"

    name: Mapped[str] = mapped_column(sa.String(50), unique=True)


class Book(IntegerId, Timestamps, Versioned, Shelf):
    """A column of every kind."""

    __tablename__ = "books"
    __table_args__ = (
        sa.UniqueConstraint("publisher_ref", "title"),
        sa.CheckConstraint("pages <> 13", name="lucky"),
    )

    title: Mapped[str] = mapped_column(sa.String(20))
    isbn: Mapped[str | None] = mapped_column(sa.String(13), unique=True)
    pages: Mapped[int] = mapped_column(sa.Integer, default=1)
    copies: Mapped[int] = mapped_column(sa.SmallInteger, server_default="3")
    sold: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(10, 2))
    weight: Mapped[float | None]
    printed: Mapped[date | None]
    opens: Mapped[time | None]
    released: Mapped[datetime | None]
    binding: Mapped[Binding] = mapped_column(default=Binding.SOFT)
    reprint: Mapped[Binding | None]
    extra: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    featured: Mapped[bool] = mapped_column(default=False)
    blurb: Mapped[str | None] = mapped_column("description", sa.Text)
    publisher_id: Mapped[UUID | None] = mapped_column("publisher_ref", sa.ForeignKey("publishers.id"))


FIELDS = ["title", "isbn", "pages", "price", "weight", "printed", "opens", "released", "binding", "featured", "blurb"]


def book_resource(service: Service | None = None, *, replace: bool = True) -> Resource:
    """Declare the books."""
    return Resource(
        Book,
        listing=Listing(filters=["id", *FIELDS, "extra", "publisher_id"], sorts=["id", *FIELDS]),
        service=service,
        routes=Routes(replace=replace),
    )


def library_app(
    database: Database, service: Service | None = None, resources: Sequence[Resource] | None = None
) -> FastAPI:
    """Make the application, of the usual resources or of others."""
    settings = Settings(env="test", _env_file=None)
    return create_app(resources or _usual_resources(service), database=database, settings=settings)


@lru_cache(maxsize=8)
def _usual_resources(service: Service | None) -> Sequence[Resource]:
    """Declare books and publishers once for each service, and not for each of a thousand tests."""
    return book_resource(service), Resource(Publisher)


@asynccontextmanager
async def library(
    database_url: str,
    service: Service | None = None,
    database: Database | None = None,
    resources: Sequence[Resource] | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application on an empty database and give a client of it; paths are relative to `/api/v1/`."""
    app = library_app(database or Database(database_url, metadata=Shelf.metadata), service, resources)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


def client_of(app: FastAPI, prefix: str = "/api/v1/") -> httpx.AsyncClient:
    """Make a client that talks to an application without a socket."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{HOST}{prefix}")


async def installed(app: FastAPI, database_url: str, pool: PoolSettings | None = None) -> Database:
    """Give an application of the user's own a database with the tables."""
    database = Database(database_url, metadata=Shelf.metadata, pool=pool)
    install(app, database)
    await database.start(create_tables=True)
    return database


async def create(client: httpx.AsyncClient, path: str, **values: Any) -> Json:
    """POST a body and give the row of a 201."""
    answer = await client.post(path, json=values)
    assert answer.status_code == 201, answer.text
    row: Json = answer.json()
    return row


async def new_book(client: httpx.AsyncClient, title: str = "Emma", **values: Any) -> Json:
    """Make a book."""
    return await create(client, "books", title=title, **values)


async def new_publisher(client: httpx.AsyncClient, name: str = "Egerton") -> Json:
    """Make a publisher."""
    return await create(client, "publishers", name=name)


def problem(answer: httpx.Response, status: int) -> Json:
    """Give a problem document, which the answer must be."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document: Json = answer.json()
    assert document["status"] == status
    assert document["type"].endswith(document["code"])
    assert document["request_id"]
    return document


def places(answer: httpx.Response, status: int) -> list[str]:
    """Give the places that a problem document names."""
    return [fault.get("pointer") or fault.get("parameter") for fault in problem(answer, status).get("errors", [])]
