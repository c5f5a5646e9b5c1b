"""`fields=` and `include=`: how much of a row is shown, the same on both ways and every database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import ForeignKey, String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from colonnade import Database, IntegerId, Listing, Resource, Service, Settings, Versioned, create_app
from colonnade.database.driver import Statement
from colonnade.models.base import NAMING_CONVENTION

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    """A base of this file alone."""


Base.metadata.naming_convention = NAMING_CONVENTION


class Author(IntegerId, Versioned, Base):
    """Has a profile and writes books."""

    __tablename__ = "authors"
    name: Mapped[str] = mapped_column(String(50))
    profile: Mapped[Profile | None] = relationship(lazy="raise", back_populates="author")
    books: Mapped[list[Book]] = relationship(lazy="raise", back_populates="author", order_by="Book.id")


class Profile(IntegerId, Base):
    """One to one."""

    __tablename__ = "profiles"
    bio: Mapped[str] = mapped_column(String(50))
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"), unique=True)
    author: Mapped[Author] = relationship(lazy="raise", back_populates="profile")


class Book(IntegerId, Base):
    """May have no author."""

    __tablename__ = "books"
    title: Mapped[str] = mapped_column(String(50))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author | None] = relationship(lazy="raise", back_populates="books")


class AuthorBrief(BaseModel):
    """What a book shows of its author."""

    id: int
    name: str


class ProfileBrief(BaseModel):
    """What an author shows of the profile."""

    bio: str


class BookBrief(BaseModel):
    """What an author shows of a book."""

    title: str


class Idle(Service):
    """Wants to see the rows, so that they are read by the ORM, and leaves them as they are."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Do nothing."""


BOOKS = Listing(includes={"author": AuthorBrief, "author.profile": ProfileBrief, "author.books": BookBrief})
AUTHORS = Listing(includes={"books": BookBrief, "profile": ProfileBrief, "books.author": AuthorBrief})


@pytest.fixture(params=[Service(), Idle()], ids=["compiled", "orm"])
def service(request: pytest.FixtureRequest) -> Service:
    """Choose the way."""
    return request.param  # type: ignore[no-any-return]


@lru_cache
def _resources(service: Service) -> Sequence[Resource]:
    return Resource(Author, listing=AUTHORS, service=service), Resource(Book, listing=BOOKS, service=service)


@asynccontextmanager
async def _library(database_url: str, service: Service) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    database = Database(database_url, metadata=Base.metadata)
    app = create_app(_resources(service), database=database, settings=Settings(env="test", _env_file=None))
    async with app.router.lifespan_context(app):
        async with database.unit_of_work() as unit:
            ann, bob = Author(name="Ann"), Author(name="Bob")
            ann.profile = Profile(bio="writes")
            unit.session.add_all([ann, bob])
            await unit.session.flush()
            titles = {"A1": ann.id, "A2": ann.id, "B1": bob.id, "lost": None}
            unit.session.add_all([Book(title=title, author_id=author) for title, author in titles.items()])
            await unit.commit()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://library") as client:
            yield client, database


CASES = {
    "books/1?fields=title": {"title": "A1"},
    "books/1?include=author&fields=title,author": {"title": "A1", "author": {"id": 1, "name": "Ann"}},
    "books/4?include=author&fields=title,author": {"title": "lost", "author": None},
    "books/1?include=author.profile&fields=author": {"author": {"id": 1, "name": "Ann", "profile": {"bio": "writes"}}},
    "books/3?include=author.profile&fields=author": {"author": {"id": 2, "name": "Bob", "profile": None}},
    "books/4?include=author.books&fields=author": {"author": None},
    "books/3?include=author.books&fields=author": {"author": {"id": 2, "name": "Bob", "books": [{"title": "B1"}]}},
    "authors/1?include=books,profile&fields=books,profile,id": {
        "id": 1,
        "books": [{"title": "A1"}, {"title": "A2"}],
        "profile": {"bio": "writes"},
    },
    "authors/2?include=books.author": {
        "id": 2,
        "name": "Bob",
        "version": 1,
        "books": [{"title": "B1", "author": {"id": 2, "name": "Bob"}}],
    },
}


@pytest.mark.parametrize("path", CASES)
async def test_a_view_shows_what_was_asked_for(database_url: str, service: Service, path: str) -> None:
    """S53, S31, S51: fields choose columns, include adds relations at most two deep; missing ones are null or empty."""
    async with _library(database_url, service) as (client, _):
        answer = await client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()) == (200, CASES[path])
        assert answer.headers["etag"].startswith("W/")


async def test_a_whole_row_has_a_strong_tag(database_url: str, service: Service) -> None:
    """RFC 9110 §8.8.3: the canonical representation is tagged by its version."""
    async with _library(database_url, service) as (client, _):
        assert (await client.get("/api/v1/authors/1")).headers["etag"] == '"1"'


@pytest.mark.parametrize(
    "query",
    ["fields=secret", "fields=", "fields=id,id", "include=profile,zz", "include=", "include=books.author.books"],
)
async def test_what_is_not_allowed_is_refused(database_url: str, service: Service, query: str) -> None:
    """S53: a field or relation that is not on the list is 422, on a row and on a list."""
    async with _library(database_url, service) as (client, _):
        for path in ("authors", "authors/1"):
            answer = await client.get(f"/api/v1/{path}?{query}")
            assert (answer.status_code, answer.json()["code"]) == (422, "CLN200")


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_list_with_relations_costs_two_statements(database_url: str) -> None:
    """S31: a page with a to-many relation costs one statement for the rows and one for all their children."""
    async with _library(database_url, Service()) as (client, database):
        seen: list[str] = []
        fetch = database.driver.fetch

        async def counted(statement: Statement) -> Any:
            seen.append(statement.sql)
            return await fetch(statement)

        database.driver.fetch = counted  # type: ignore[method-assign]
        answer = await client.get("/api/v1/authors?include=books,profile&limit=20&count=none")
        assert [len(author["books"]) for author in answer.json()["authors"]] == [2, 1]
        assert len(seen) == 2


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
async def test_one_parent_does_not_take_the_room_of_another(database_url: str, service: Service) -> None:
    """S33: a to-many relation shows the first hundred of each parent, also of a parent that is shown in a row itself."""
    async with _library(database_url, service) as (client, database):
        async with database.unit_of_work() as unit:
            unit.session.add_all([Book(title=f"more {number}", author_id=1) for number in range(150)])
            await unit.commit()
        authors = (await client.get("/api/v1/authors?include=books")).json()["authors"]
        assert [len(author["books"]) for author in authors] == [100, 1]
        assert authors[0]["books"][0] == {"title": "A1"}
        inner = (await client.get("/api/v1/books/1?include=author.books")).json()["author"]["books"]
        assert (len(inner), inner[0]) == (100, {"title": "A1"})
