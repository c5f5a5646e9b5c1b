"""What of a column's values may stand in a history."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import DeclarationError, IntegerId
from colonnade.models.facts import read_facts
from colonnade.models.history import history_table
from colonnade.services.history import History, keep_history


class Encrypted(sa.TypeDecorator[str]):
    """A type of the application's own: nobody but it knows why its values are not what is stored."""

    impl = sa.String
    cache_ok = True


class Archive(DeclarativeBase):
    """The base of this file's models."""


class Paper(IntegerId, Archive):
    """A column for each of what is told, and what is not."""

    __tablename__ = "papers"

    title: Mapped[str] = mapped_column(sa.String(50))
    diagnosis: Mapped[str] = mapped_column(Encrypted(50))
    scan: Mapped[bytes] = mapped_column(sa.LargeBinary)
    api_token: Mapped[str] = mapped_column(sa.String(50))


def test_secrets_bytes_and_strange_types_are_named_only() -> None:
    """S11: what a type of the application's own encrypts does not stand in a history in clear."""
    before = {"id": 1, "title": "a", "diagnosis": "x", "scan": b"1", "api_token": "s"}
    after: dict[str, Any] = {"id": 1, "title": "b", "diagnosis": "y", "scan": b"2", "api_token": "t"}
    found = History(read_facts(Paper))._differences(before, after)
    assert found == {"title": ("a", "b"), "diagnosis": None, "scan": None, "api_token": None}


def test_what_can_have_no_history_is_refused() -> None:
    """A key that is too long for the index, or a table `history` of the application's own."""

    class Scroll(Archive):
        __tablename__ = "scrolls"
        name: Mapped[str] = mapped_column(sa.String(300), primary_key=True)

    class Chronicle(IntegerId, Archive):
        __tablename__ = "history"

    with pytest.raises(DeclarationError, match="255"):
        keep_history(read_facts(Scroll))
    with pytest.raises(DeclarationError, match="declared already"):
        keep_history(read_facts(Chronicle))
    with pytest.raises(DeclarationError, match="declared already"):
        history_table(Archive.metadata)
