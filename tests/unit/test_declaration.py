"""A resource that can't work is refused where it is declared, in a sentence that says how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, EmailStr
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    AccountMixin,
    Change,
    DeclarationError,
    Email,
    IntegerId,
    JobRequest,
    Listing,
    Resource,
    Routes,
    Schemas,
    Service,
    create_app,
)


class Base(DeclarativeBase):
    """A base of this file alone."""


class Book(IntegerId, Base):
    """A table."""

    __tablename__ = "books"
    title: Mapped[str] = mapped_column(String(50))


class Shown(BaseModel):
    """Shows what no book has."""

    id: int
    colour: str


class Written(BaseModel):
    """Takes what no book has, and not what it needs."""

    colour: str


class Misspelt(Service):
    """A rule that would never run."""

    async def before_creat(self, change: Change) -> None:
        """Do nothing."""


class Hasty(Service):
    """Rules of which one is not awaited and the other one is."""

    def after_commit(self, change: Change) -> None:  # type: ignore[override]
        """Do nothing."""

    async def jobs(self, change: Change) -> list[JobRequest]:  # type: ignore[override]
        """Ask for nothing."""
        return []


class Knowing(Service):
    """Turns a colour into a title."""

    async def prepare(self, change: Change) -> None:
        """Make a title of the colour."""
        change.values["title"] = change.values.pop("colour")


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "response": (lambda: Resource(Book, schemas=Schemas(response=Shown)), "Shown.colour"),
    "create": (lambda: Resource(Book, schemas=Schemas(create=Written)), "Written.colour"),
    "lacking": (lambda: Resource(Book, schemas=Schemas(create=Written)), "lacks 'title'"),
    "hook": (lambda: Resource(Book, service=Misspelt()), "meant before_create?"),
    "plain hook": (lambda: Resource(Book, service=Hasty()), "write async def after_commit"),
    "awaited jobs": (lambda: Resource(Book, service=Hasty()), "write def jobs"),
    "class": (lambda: Resource(Book, service=Knowing), "Knowing()"),  # type: ignore[arg-type]
    "page size": (lambda: Resource(Book, listing=Listing(page_size=0)), "page_size"),
    "includes": (lambda: Resource(Book, listing=Listing(includes=["title"])), "includes"),  # type: ignore[arg-type]
    "filter": (lambda: Resource(Book, listing=Listing(filters=["colour"])), "colour"),
    "method": (lambda: Resource(Book, routes=Routes(methods=("list", "patch"))), "patch"),  # type: ignore[arg-type]
    "schemas": (lambda: Resource(Book, schemas=Written), "Schemas("),  # type: ignore[arg-type]
    "model": (lambda: Resource(Written), "Written"),  # type: ignore[type-var, arg-type]
    "part": (lambda: Resource(Book, routes=Routes(parts={"x": (Resource(Book), "shelf_id")})), "shelf_id"),
    "application": (lambda: create_app([Book]), "Resource(Book)"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_where_it_is_made(name: str) -> None:
    """The text names what is wrong, and mostly what was meant."""
    declare, told = MISTAKES[name]
    with pytest.raises(DeclarationError) as raised:
        declare()
    assert told in str(raised.value)


def test_a_hook_may_turn_what_is_sent_into_what_is_stored() -> None:
    """A create schema that differs from the table is right where a hook stands between them."""
    assert Resource(Book, schemas=Schemas(create=Written), service=Knowing()).blueprint.create is Written


class Lodger(AccountMixin, IntegerId, Base):
    """An account."""

    __tablename__ = "lodgers"
    email: Mapped[str] = mapped_column(String(254), unique=True)


class AsWritten(BaseModel):
    """Takes an address as somebody writes it."""

    email: EmailStr


class Folded(BaseModel):
    """Takes an address as a login looks for it."""

    email: Email


@pytest.mark.parametrize("schemas", [Schemas(update=AsWritten), Schemas(create=AsWritten)])
def test_an_address_that_no_login_would_find_is_refused(schemas: Schemas) -> None:
    """E-mail: `Ada@example.com` would be stored so, and looked for as `ada@example.com`."""
    with pytest.raises(DeclarationError, match=r"AsWritten\.email keeps capital letters.*email: Email"):
        Resource(Lodger, schemas=schemas, service=Hashing())


@pytest.mark.parametrize("schemas", [None, Schemas(create=Folded, update=Folded)])
def test_an_address_is_folded_where_nobody_says_how(schemas: Schemas | None) -> None:
    """E-mail: the derived schema of an account does what `Email` does."""
    blueprint = Resource(Lodger, schemas=schemas, service=Hashing()).blueprint
    taken = blueprint.create.model_validate({"email": "Ada@Example.com"})
    assert taken.model_dump() == {"email": "ada@example.com"}


class Hashing(Service):
    """Gives an account its password's hash."""

    async def prepare(self, change: Change) -> None:
        """Do so."""
