"""Authors and their stories, cached; for tests of the cache. Their tables are no part of `Base.metadata`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import (
    Base,
    Cache,
    Database,
    IntegerId,
    Listing,
    Policy,
    Resource,
    Routes,
    Schemas,
    Settings,
    Versioned,
    allow,
    create_app,
    role,
    signed_in,
)
from colonnade.models.base import NAMING_CONVENTION
from tests.library import Json, client_of


class Anthology(Base):
    """The base of these models."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class StoryAuthor(IntegerId, Versioned, Anthology):
    """Writes stories."""

    __tablename__ = "authors"

    name: Mapped[str] = mapped_column(sa.String(50))
    stories: Mapped[list[Story]] = relationship(lazy="raise", back_populates="author")


class Story(IntegerId, Versioned, Anthology):
    """Belongs to an author, and goes with him."""

    __tablename__ = "stories"

    title: Mapped[str] = mapped_column(sa.String(50))
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("authors.id", ondelete="CASCADE"))
    author: Mapped[StoryAuthor] = relationship(lazy="raise", back_populates="stories")


class Uncached(IntegerId, Versioned, Anthology):
    """A table that nothing cached depends on."""

    __tablename__ = "uncached"

    name: Mapped[str] = mapped_column(sa.String(50))


class Note(IntegerId, Versioned, Anthology):
    """Somebody's own."""

    __tablename__ = "notes"

    owner_id: Mapped[str] = mapped_column(sa.String(10))
    text: Mapped[str] = mapped_column(sa.String(50))


class AuthorBrief(BaseModel):
    """What a story shows of its author."""

    id: int
    name: str


def resources() -> list[Resource]:
    """Declare them."""
    stories = Resource(
        Story,
        listing=Listing(filters=["title", "author.name"], sorts=["id", "title"], includes={"author": AuthorBrief}),
        routes=Routes(cache=Cache()),
    )
    authors = Resource(
        StoryAuthor,
        schemas=Schemas(response=AuthorBrief),
        routes=Routes(cache=Cache(), parts={"stories": (stories, "author_id")}),
    )
    policy = Policy(allow("everything", to=signed_in, own="owner_id"), allow("everything", to=role("admin")))
    notes = Resource(Note, routes=Routes(cache=Cache()), policy=policy)
    return [stories, authors, notes, Resource(Uncached)]


def anthology_app(database_url: str, **settings: object) -> FastAPI:
    """Make the application."""
    chosen = Settings(env="test", _env_file=None, **settings)  # type: ignore[arg-type]  # by name
    return create_app(resources(), database=Database(database_url, metadata=Anthology.metadata), settings=chosen)


@asynccontextmanager
async def anthology(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application and give a client of it."""
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def read(client: httpx.AsyncClient, path: str) -> Json:
    """GET a body."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body
