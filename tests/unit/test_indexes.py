"""The index policy (S44): what has to have an index, and what should have none."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from colonnade import Database, Listing, Resource, Settings, create_app
from colonnade.cli.check.application import check_indexes
from colonnade.models.facts import read_facts
from colonnade.models.indexes import is_indexed, is_worth_an_index, pointless_indexes, unindexed_foreign_keys


class Depot(DeclarativeBase):
    """A base of these tests' own."""


class Shelf(Depot):
    """What crates refer to."""

    __tablename__ = "index_shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(20))


class Crate(Depot):
    """Columns of each sort, with and without an index."""

    __tablename__ = "index_crates"
    __table_args__ = (
        sa.Index("ix_pair", "first", "second"),
        sa.UniqueConstraint("serial", "first"),
        sa.Index("ix_flag", "fragile"),
        sa.Index("ix_memo", "memo"),
        sa.Index("ix_lower", sa.text("lower(name)")),
        sa.ForeignKeyConstraint(["first", "second"], ["index_pairs.a", "index_pairs.b"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50))
    memo: Mapped[str] = mapped_column(sa.Text)
    fragile: Mapped[bool]
    weight: Mapped[int]
    serial: Mapped[str] = mapped_column(sa.String(20))
    first: Mapped[int]
    second: Mapped[int]
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("index_shelves.id"))
    other_id: Mapped[int] = mapped_column(sa.ForeignKey("index_shelves.id"), index=True)
    shelf: Mapped[Shelf] = relationship(foreign_keys=[shelf_id], lazy="raise")


class Pair(Depot):
    """What a key of two columns refers to."""

    __tablename__ = "index_pairs"

    a: Mapped[int] = mapped_column(primary_key=True)
    b: Mapped[int] = mapped_column(primary_key=True)


TABLE = Depot.metadata.tables["index_crates"]
FACTS = read_facts(Crate)


def test_an_index_serves_what_it_begins_with() -> None:
    """S44: the first columns of an index, a unique constraint or the key are indexed, those behind them are not."""
    indexed = [name for name in (column.name for column in TABLE.columns) if is_indexed(TABLE, [name])]
    assert indexed == ["id", "memo", "fragile", "serial", "first", "other_id"]
    assert is_indexed(TABLE, ["second", "first"])


def test_a_foreign_key_needs_an_index() -> None:
    """S44: one without is found; one that is the beginning of an index is not."""
    assert list(unindexed_foreign_keys(TABLE)) == [("shelf_id",)]


def test_flags_and_large_texts_need_none() -> None:
    """S44: an index on them alone helps nobody."""
    worth = [key for key, column in FACTS.columns.items() if is_worth_an_index(column)]
    assert worth == ["id", "name", "weight", "serial", "first", "second", "shelf_id", "other_id"]
    assert list(pointless_indexes(TABLE, FACTS.columns.values())) == ["memo", "fragile"]


def test_what_lists_declare_is_looked_at() -> None:
    """S44: filters, sorts and the default sort without an index are found, through relations too, each once."""
    listing = Listing(
        filters=["weight", "serial", "fragile", "memo", "shelf.label"], sorts=["id", "second"], default_sort="-name"
    )
    resource = Resource(Crate, listing=listing)
    database = Database("sqlite://", metadata=Depot.metadata)
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it
    findings = list(check_indexes(create_app([resource], database=database, settings=settings)))
    assert [finding.place for finding in findings if not finding.is_hint] == [
        "index_crates.shelf_id",
        "index_shelves.label",
        "index_crates.weight",
        "index_crates.name",
        "index_crates.second",
    ]
    assert [finding.place for finding in findings if finding.is_hint] == ["index_crates.memo", "index_crates.fragile"]
    assert "the filter 'shelf.label'" in findings[1].what
