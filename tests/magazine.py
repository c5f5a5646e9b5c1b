"""A small application under policies: authors, their articles, and reviews, which have no policy of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship
from starlette.types import Scope

from colonnade import (
    Base,
    Change,
    Database,
    IntegerId,
    Listing,
    Policy,
    Principal,
    Resource,
    Routes,
    Schemas,
    Service,
    Settings,
    SoftDelete,
    Versioned,
    allow,
    anyone,
    create_app,
    role,
    signed_in,
)
from colonnade.models.base import NAMING_CONVENTION

HOST = "http://magazine.test"
Json = dict[str, Any]


class Printed(Base):
    """The base of this application's models; its tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Author(IntegerId, Versioned, Printed):
    """Somebody who writes; others do not see the e-mail address."""

    __tablename__ = "authors"

    name: Mapped[str] = mapped_column(sa.String(50))
    email: Mapped[str] = mapped_column(sa.String(100), unique=True)
    rank: Mapped[str] = mapped_column(sa.String(20), server_default="user")

    articles: Mapped[list[Article]] = relationship(back_populates="author", lazy="raise", order_by="Article.id")


class Article(IntegerId, Versioned, SoftDelete, Printed):
    """A text; nobody but its author sees it before it is published, and only editors its rating."""

    __tablename__ = "articles"

    author_id: Mapped[int] = mapped_column(sa.ForeignKey("authors.id"))
    title: Mapped[str] = mapped_column(sa.String(50), unique=True)
    published: Mapped[bool] = mapped_column(default=False)
    rating: Mapped[int] = mapped_column(default=0)

    author: Mapped[Author] = relationship(back_populates="articles", lazy="raise")
    reviews: Mapped[list[Review]] = relationship(back_populates="article", lazy="raise", order_by="Review.id")


class Review(IntegerId, Printed):
    """What somebody said of an article."""

    __tablename__ = "reviews"

    article_id: Mapped[int] = mapped_column(sa.ForeignKey("articles.id"))
    words: Mapped[str] = mapped_column(sa.String(50))

    article: Mapped[Article] = relationship(back_populates="reviews", lazy="raise")


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AuthorShown(Shown):
    id: int
    name: str
    email: str
    rank: str
    version: int


class ArticleShown(Shown):
    id: int
    author_id: int
    title: str
    published: bool
    rating: int
    version: int


class ReviewShown(Shown):
    id: int
    article_id: int
    words: str


AUTHORS = Policy(
    allow("read", to=signed_in, hide=["email"]),
    allow("read", "update", to=signed_in, own="id", write=["name"]),
    allow("create", to=anyone, write=["name", "email"]),
    allow("everything", to=role("admin")),
)
ARTICLES = Policy(
    allow("read", to=anyone, where={"published": True}, hide=["rating"]),
    allow(
        *("read", "read_deleted", "create", "update", "delete", "restore"),
        to=signed_in,
        own="author_id",
        hide=["rating"],
        write=["author_id", "title", "published"],
    ),
    allow("read", "update", to=role("editor"), write=["published", "rating"]),
    allow("everything", to=role("admin")),
)


class Watching(Service):
    """Sends every read the ORM and Pydantic way and every change through a session, and alters nothing."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Look on."""

    async def after_create(self, change: Change) -> None:
        """Look on."""

    async def after_update(self, change: Change) -> None:
        """Look on."""

    async def after_delete(self, change: Change) -> None:
        """Look on."""

    async def after_restore(self, change: Change) -> None:
        """Look on."""


@cache
def magazine_resources(*, watched: bool = False, service: Service | None = None) -> tuple[Resource, ...]:
    """Declare the resources, once: a test that finds their plans made is done in a tenth of the time."""
    service = Watching() if watched else service
    articles = Resource(
        Article,
        schemas=Schemas(response=ArticleShown),
        listing=Listing(
            filters=["author_id", "title", "published", "rating", "author.name", "author.email"],
            sorts=["id", "title", "rating"],
            search=["title", "author.email"],
            includes={"author": AuthorShown, "reviews": ReviewShown},
            deleted=True,
        ),
        service=service,
        routes=Routes(replace=True, permanent_delete=True, upsert=("title",)),
        policy=ARTICLES,
    )
    authors = Resource(
        Author,
        schemas=Schemas(response=AuthorShown),
        listing=Listing(
            filters=["name", "email"],
            sorts=["id", "name", "email"],
            search=["name", "email"],
            includes={"articles": ArticleShown, "articles.reviews": ReviewShown},
        ),
        service=service,
        routes=Routes(parts={"articles": (articles, "author_id")}),
        policy=AUTHORS,
    )
    reviews = Resource(
        Review,
        schemas=Schemas(response=ReviewShown),
        listing=Listing(
            filters=["article.title", "article.author.email"],
            sorts=["id"],
            includes={"article": ArticleShown, "article.author": AuthorShown},
        ),
        service=service,
    )
    return authors, articles, reviews


async def by_header(scope: Scope, database: Database) -> Principal:
    """Tell who asks by a header of this test's own: `X-Account: <id> <role>`, and `X-Scopes` of an API key."""
    headers = dict(scope["headers"])
    if b"x-account" not in headers:
        return Principal()
    id, role = headers[b"x-account"].decode().split()
    scopes = headers.get(b"x-scopes")
    return Principal(int(id), role, None if scopes is None else frozenset(scopes.decode().split()))


def magazine_app(database: Database, resources: Sequence[Resource]) -> FastAPI:
    """Make an application that knows who asks."""
    app = create_app(resources, database=database, settings=Settings(env="test", _env_file=None))
    app.state.colonnade.authenticate = by_header
    return app


def client_of(app: FastAPI, account: str = "", scopes: str | None = None) -> httpx.AsyncClient:
    """Make a client of somebody, `"1 user"`; of nobody when empty."""
    headers = {"X-Account": account} if account else {}
    headers |= {} if scopes is None else {"X-Scopes": scopes}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{HOST}/api/v1/", headers=headers)


ADA, BOB, EDITOR, ADMIN = "1 user", "2 user", "3 editor", "4 admin"
"""Accounts: two authors, and two with more to say; each is a row of `authors` as well."""


@asynccontextmanager
async def magazine(
    database_url: str, *, watched: bool = False, service: Service | None = None
) -> AsyncIterator[FastAPI]:
    """Start the application with four authors, two articles of Ada's and two of Bob's, one of each published."""
    database = Database(database_url, metadata=Printed.metadata)
    app = magazine_app(database, magazine_resources(watched=watched, service=service))
    async with app.router.lifespan_context(app):
        async with database.engine.begin() as connection:
            for model, rows in ROWS.items():
                await connection.execute(sa.insert(model), rows)
        yield app


ROWS: dict[type[Printed], list[Json]] = {
    Author: [{"name": name, "email": f"{name}@example.com", "rank": "user"} for name in ("ada", "bob", "eve", "root")],
    Article: [
        {"author_id": 1, "title": "Engines", "published": True, "rating": 5},
        {"author_id": 1, "title": "Drafts", "published": False, "rating": 4},
        {"author_id": 2, "title": "Boats", "published": True, "rating": 3},
        {"author_id": 2, "title": "Secrets", "published": False, "rating": 2},
    ],
    Review: [{"article_id": id, "words": f"of {id}"} for id in (1, 2, 3, 4)],
}


async def titles(client: httpx.AsyncClient, query: str = "", path: str = "articles") -> list[str]:
    """Give the titles of a list, sorted by id."""
    answer = await client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    return [row["title"] for row in answer.json()["articles"]]


async def status(client: httpx.AsyncClient, method: str, path: str, body: Json | None = None) -> int:
    """Ask, and give the status."""
    return (await client.request(method, path, json=body)).status_code


def told(answer: httpx.Response, *names: str) -> str:
    """Give what a refusal says, without its request's id, and with a mark in the place of a field's name."""
    text = answer.text.replace(answer.json()["request_id"], "")
    for name in names:
        text = text.replace(name, "?")
    return text
