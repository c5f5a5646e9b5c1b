"""Where people can sign in, each resource says what that is good for: nothing is open because nobody thought of it."""

from __future__ import annotations

import logging

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    AccountMixin,
    Accounts,
    Database,
    DeclarationError,
    IntegerId,
    Policy,
    Resource,
    Routes,
    Settings,
    allow,
    anyone,
    create_app,
    install,
)
from colonnade.api.open_routes import open_routes


class Guild(DeclarativeBase):
    """The base of this file's models."""


class Craftsman(AccountMixin, IntegerId, Guild):
    """Somebody who signs in."""

    __tablename__ = "craftsmen"
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)


class Tool(IntegerId, Guild):
    """Something that has no policy of its own."""

    __tablename__ = "tools"
    name: Mapped[str] = mapped_column(sa.String(20))


class Sign(IntegerId, Guild):
    """Something that is everybody's on purpose."""

    __tablename__ = "signs"
    name: Mapped[str] = mapped_column(sa.String(20))


SIGNS = Resource(Sign, policy=Policy(allow("everything", to=anyone)))


def somebody() -> None:
    """Stand for a dependency that lets some people through."""


def build(*resources: Resource, **more: object) -> FastAPI:
    """Make an application in which people sign in."""
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
    database = Database("sqlite://", metadata=Guild.metadata)
    return create_app(resources, accounts=Accounts(Craftsman), settings=settings, database=database, **more)


def test_a_resource_without_a_policy_is_refused_where_people_sign_in() -> None:
    """S78: the text names the model and what to write."""
    with pytest.raises(DeclarationError, match=r"^Tool: people sign in, .* DELETE, GET, PATCH, POST here; Resource\("):
        build(SIGNS, Resource(Tool))


def test_a_dependency_says_who_may_as_well() -> None:
    """S78: of the resource, or of the whole application."""
    build(SIGNS, Resource(Tool, routes=Routes(dependencies=[Depends(somebody)])))
    build(Resource(Tool), dependencies=[Depends(somebody)])


def test_nobody_is_asked_where_nobody_signs_in() -> None:
    """The shortest application has no policy, and is everybody's."""
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
    database = Database("sqlite://", metadata=Guild.metadata)
    assert list(open_routes(create_app([Resource(Tool)], settings=settings, database=database))) == [Tool]


@pytest.mark.anyio
async def test_an_application_that_was_there_before_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    """S78: it may be guarded in a way that is not seen from here; its log has the line once."""
    app, database = FastAPI(), Database("sqlite://", metadata=Guild.metadata)
    install(app, database, accounts=Accounts(Craftsman), secret_key="k" * 32)
    app.include_router(Resource(Tool).router)
    app.include_router(SIGNS.router)
    with caplog.at_level(logging.WARNING, "colonnade.policy"):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://guild.test") as client:
            for _ in range(2):
                await client.get("/nothing")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["Tool"]
    await database.dispose()
