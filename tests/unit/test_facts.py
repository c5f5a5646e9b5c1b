"""What is read off a mapped class, once: kinds, bounds, defaults, owners, secrets and relations; what can be no resource."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from colonnade import DeclarationError, ExactDecimal, IntegerId, SoftDelete, Timestamps, UTCDateTime, Versioned, utc_now
from colonnade.models.facts import Kind, constraint_columns, read_facts
from tests.library import Binding, Book, Publisher

BOOK = read_facts(Book)


class Facts(DeclarativeBase):
    """A base of this file alone."""


class Shouted(sa.types.TypeDecorator[str]):
    """A type of the user's own."""

    impl = sa.String
    cache_ok = True


class Odd(sa.types.UserDefinedType[Any]):
    """A type that tells nothing of itself."""

    cache_ok = True

    def get_col_spec(self) -> str:
        """Name it to the database."""
        return "ODD"


class Parent(IntegerId, SoftDelete, Facts):
    """Hidden when it is deleted."""

    __tablename__ = "parents"
    children: Mapped[list[Child]] = relationship(back_populates="parent", order_by="Child.rank", lazy="raise")
    tagged: Mapped[list[Child]] = relationship(secondary="tags", viewonly=True, lazy="raise")
    first: Mapped[Child] = relationship(
        primaryjoin="and_(Parent.id == Child.parent_id, Child.rank == 1)", viewonly=True, uselist=False, lazy="raise"
    )


class Child(Timestamps, Versioned, IntegerId, Facts):
    """A column of each unusual kind."""

    __tablename__ = "children"
    __table_args__ = (sa.Index("by_both", "rank", "nick_name"), sa.CheckConstraint("rank > 0", name="ranked"))
    parent_id: Mapped[int] = mapped_column(sa.ForeignKey("parents.id", name="of_parent"), unique=True)
    parent: Mapped[Parent] = relationship(back_populates="children", lazy="raise")
    rank: Mapped[int] = mapped_column(sa.SmallInteger, default=lambda: 3)
    nick: Mapped[str | None] = mapped_column("nick_name", sa.String(9))
    shouted: Mapped[str] = mapped_column(Shouted(9))
    loose: Mapped[float] = mapped_column(sa.Numeric(asdecimal=False))
    bare: Mapped[Decimal] = mapped_column(sa.Numeric)
    local: Mapped[datetime] = mapped_column(sa.DateTime)
    choice: Mapped[str] = mapped_column(sa.Enum("a", "b"))
    twice: Mapped[int] = mapped_column(sa.Computed("rank * 2"))
    owned: Mapped[int] = mapped_column(info={"server_owned": True})
    password_hint: Mapped[str] = mapped_column(info={"secret": False})
    api_token: Mapped[str]
    plain: Mapped[str] = mapped_column(info={"secret": True})
    born: Mapped[datetime] = mapped_column(UTCDateTime(), default=sa.func.now())
    stamped: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    odd: Mapped[Any] = mapped_column(Odd)
    lists: Mapped[list[int]] = mapped_column(postgresql.ARRAY(sa.Integer))
    summed: Mapped[int] = column_property(sa.literal(1) + 1)


tags = sa.Table(
    "tags",
    Facts.metadata,
    sa.Column("parent_id", sa.ForeignKey("parents.id"), primary_key=True),
    sa.Column("child_id", sa.ForeignKey("children.id"), primary_key=True),
)
CHILD = read_facts(Child)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("id", Kind.INTEGER), ("title", Kind.TEXT), ("pages", Kind.INTEGER), ("copies", Kind.INTEGER),
        ("price", Kind.DECIMAL), ("weight", Kind.FLOAT), ("printed", Kind.DATE), ("opens", Kind.TIME),
        ("released", Kind.DATETIME), ("binding", Kind.ENUM), ("extra", Kind.JSON), ("featured", Kind.BOOLEAN),
        ("blurb", Kind.TEXT), ("publisher_id", Kind.UUID),
    ],
)  # fmt: skip
def test_every_column_has_its_kind(key: str, kind: Kind) -> None:
    """Enums are strings to SQLAlchemy, and booleans integers; here each is what it is."""
    assert BOOK.columns[key].kind is kind


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("shouted", Kind.OTHER),
        ("lists", Kind.OTHER),
        ("odd", Kind.OTHER),
        ("stamped", Kind.DATETIME),
        ("local", Kind.OTHER),
        ("loose", Kind.FLOAT),
        ("bare", Kind.DECIMAL),
        ("choice", Kind.ENUM),
        ("born", Kind.DATETIME),
    ],
)
def test_what_is_not_known_is_other(key: str, kind: Kind) -> None:
    """A user's own type, an array and a naive time go the ORM's way."""
    assert CHILD.columns[key].kind is kind


def test_columns_are_known_by_their_attributes() -> None:
    """A column of another name in the database keeps its attribute's; what is no column is left out."""
    assert CHILD.columns["nick"].column.name == "nick_name"
    assert CHILD.key_of("nick_name") == "nick"
    assert CHILD.key_of("nick") is None
    assert "summed" not in CHILD.columns


@pytest.mark.parametrize(
    ("key", "bounds"),
    [
        ("copies", (-(1 << 15), (1 << 15) - 1)),
        ("pages", (-(1 << 31), (1 << 31) - 1)),
        ("id", (-(1 << 63), (1 << 63) - 1)),
    ],
)
def test_integers_have_bounds(key: str, bounds: tuple[int, int]) -> None:
    """Of 16, 32 and 64 bits, on every database."""
    assert BOOK.columns[key].bounds == bounds


def test_texts_and_decimals_have_bounds() -> None:
    """Characters, and (precision, scale); None where none is declared."""
    assert [BOOK.columns[key].max_length for key in ("title", "blurb", "pages", "binding")] == [20, None, None, None]
    assert [BOOK.columns["price"].digits, CHILD.columns["bare"].digits] == [(10, 2), None]


@pytest.mark.parametrize(
    ("key", "python_type"),
    [("pages", int), ("binding", Binding), ("extra", object), ("price", Decimal), ("released", datetime)],
)
def test_values_have_a_python_type(key: str, python_type: type) -> None:
    """What a session gives; anything for a document."""
    assert BOOK.columns[key].python_type is python_type


def test_a_type_may_tell_little_of_its_values() -> None:
    """An enum without a class is of texts; a type that says nothing is of anything."""
    assert (CHILD.columns["choice"].python_type, CHILD.columns["odd"].python_type) == (str, object)


@pytest.mark.parametrize(
    ("key", "has_default", "server_owned"),
    [
        ("id", True, True), ("version", True, True), ("created_at", True, True), ("rank", True, False),
        ("nick", True, False), ("shouted", False, False), ("twice", True, True), ("owned", False, True),
        ("born", True, False),        ("parent_id", False, False),
    ],
)  # fmt: skip
def test_who_gives_a_value(key: str, has_default: bool, server_owned: bool) -> None:
    """A value that is computed, generated or stamped is the server's; one with a default need not be sent."""
    column = CHILD.columns[key]
    assert (column.has_default or column.column.computed is not None, column.server_owned) == (
        has_default,
        server_owned,
    )


@pytest.mark.parametrize(
    ("key", "secret"), [("password_hint", False), ("api_token", True), ("plain", True), ("nick", False)]
)
def test_a_secret_is_known_by_its_name_or_its_mark(key: str, secret: bool) -> None:
    """S11: the mark overrules the name, both ways."""
    assert CHILD.columns[key].secret is secret


def test_a_key_that_refers_elsewhere_is_the_clients() -> None:
    """In a one-to-one table the parent's id is the row's own, and nobody generates it."""

    class Half(Facts):
        __tablename__ = "halves"
        parent_id: Mapped[int] = mapped_column(sa.ForeignKey("parents.id"), primary_key=True)

    identity = read_facts(Half).identity
    assert (identity.server_owned, identity.has_default) == (False, False)


def test_defaults_are_made_and_times_are_one() -> None:
    """S50: what Python makes of a new row is made here, and all times of one change are the same."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    made = CHILD.fill({"nick": "Ada"}, new=True, now=now)
    assert (made["nick"], made["rank"], made["created_at"], made["updated_at"]) == ("Ada", 3, now, now)
    assert "born" not in made  # SQL is left to the database
    assert CHILD.columns["created_at"].default is utc_now
    assert CHILD.fill({}, new=False, now=now) == {"updated_at": now}
    assert CHILD.fill({"updated_at": None}, new=False, now=now) == {"updated_at": None}


def test_a_hidden_row_and_a_restored_one() -> None:
    """S74: what soft deletion writes, and takes back."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    facts = read_facts(Parent)
    assert facts.hidden(now) == {"is_deleted": True, "deleted_at": now, "alive": None}
    assert facts.restored() == {"is_deleted": False, "deleted_at": None, "alive": True}


@pytest.mark.parametrize(("deleted", "sql"), [("hide", "NOT is_deleted"), ("only", "is_deleted"), ("include", "")])
def test_which_rows_are_seen(deleted: Any, sql: str) -> None:
    """S74: the deleted ones hidden, alone, or among the others."""
    shown = " ".join(str(condition) for condition in read_facts(Parent).visible(deleted))
    assert shown.replace("parents.", "").upper() == sql.upper()
    assert read_facts(Publisher).visible(deleted) == []


def test_relations_are_plain_where_one_foreign_key_says_all() -> None:
    """A second condition, or a table in between, needs the ORM."""
    found = {key: (relation.to_many, relation.plain) for key, relation in read_facts(Parent).relations.items()}
    assert found == {"children": (True, True), "tagged": (True, False), "first": (False, False)}
    children = read_facts(Parent).relations["children"]
    assert (children.target, [column.name for column in children.order_by]) == (Child, ["rank"])  # type: ignore[attr-defined]


def test_constraints_name_their_columns_by_attribute() -> None:
    """A violated constraint is told by the fields that a client knows."""
    found = constraint_columns(Child.__table__)  # type: ignore[arg-type]
    assert found["by_both"] == ("rank", "nick_name")
    assert found["of_parent"] == ("parent_id",)
    named = constraint_columns(Book.__table__)  # type: ignore[arg-type]
    assert named["uq_books_publisher_ref_title"] == ("publisher_id", "title")


class Pair(Facts):
    """A key of two columns."""

    __tablename__ = "pairs"
    one: Mapped[int] = mapped_column(primary_key=True)
    two: Mapped[int] = mapped_column(primary_key=True)


class Special(Parent):
    """A row in its parent class's table."""


@pytest.mark.parametrize("model", [Pair, Special, Facts, int, ExactDecimal], ids=lambda model: model.__name__)
def test_what_can_not_be_a_resource_is_told(model: type[Any]) -> None:
    """S42: with the class's name, when the resource is declared."""
    with pytest.raises(DeclarationError, match=model.__name__):
        read_facts(model)


def test_a_class_is_read_once() -> None:
    """The facts are frozen and shared."""
    assert read_facts(Book) is BOOK
