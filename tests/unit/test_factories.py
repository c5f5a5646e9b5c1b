"""Fake data for tests: what a factory makes passes the rules of its schema and fits its table."""

import enum
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, EmailStr, Field, field_validator
from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from colonnade.models.base import Base as LibraryBase
from colonnade.models.mixins import IntegerId, Timestamps, Versioned
from colonnade.models.types import ExactDecimal
from colonnade.testing.factories import factory_for


class Base(DeclarativeBase):
    """A base of this file alone, so that its tables are nobody else's."""

    metadata = MetaData()
    type_annotation_map = LibraryBase.type_annotation_map


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Maker(IntegerId, Base):
    """The parent."""

    __tablename__ = "makers"
    email: Mapped[str] = mapped_column(String(100))


class Gadget(IntegerId, Timestamps, Versioned, Base):
    """A table with most kinds of column."""

    __tablename__ = "gadgets"
    name: Mapped[str] = mapped_column(String(12))
    description: Mapped[str | None] = mapped_column(String(500))
    price: Mapped[Decimal] = mapped_column(ExactDecimal(10, 2))
    quantity: Mapped[int]
    is_active: Mapped[bool]
    colour: Mapped[Colour]
    details: Mapped[dict[str, Any]]
    maker_id: Mapped[int] = mapped_column(ForeignKey("makers.id"))
    maker: Mapped[Maker] = relationship()


class Registration(BaseModel):
    """Guide A's rules for a new user (S9)."""

    email: EmailStr
    username: Annotated[str, Field(min_length=3, max_length=50, pattern=r"^[a-zA-Z0-9_]+$")]
    password: Annotated[str, Field(min_length=8)]
    full_name: Annotated[str, Field(max_length=100)]
    price: Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)]

    @field_validator("password")
    @classmethod
    def has_a_digit_and_a_letter(cls, value: str) -> str:
        """The rule that no constraint tells a factory of."""
        if not (any(map(str.isdigit, value)) and any(map(str.isalpha, value))):
            raise ValueError("needs a digit and a letter")
        return value


def test_a_schema_s_instances_pass_its_own_rules() -> None:
    """S62: fake registrations are valid, and their unique fields differ."""
    made = factory_for(Registration).batch(100)
    assert len({one.email for one in made}) == len({one.username for one in made}) == 100


def test_a_model_s_instances_have_what_a_row_must_have() -> None:
    """S62: required columns are filled with values that fit; what the database or the caller sets is left alone."""
    for one in factory_for(Gadget).batch(100, maker_id=7):
        assert 0 < len(one.name) <= 12
        assert 0 < one.price < Decimal("1000")
        assert one.price.as_tuple().exponent == -2
        assert one.quantity > 0
        assert one.colour in Colour
        assert one.maker_id == 7
        assert [getattr(one, name) for name in ("id", "version", "created_at", "description")] == [None] * 4


def test_given_values_stand() -> None:
    """A value given for all instances, or for one, is taken as it is."""
    factory = factory_for(Gadget, quantity=5)
    assert factory.build().quantity == 5
    assert factory.build(quantity=0, description="old").description == "old"


@pytest.mark.parametrize("kind", [Gadget, Registration])
def test_a_seed_makes_the_same_data(kind: type[Any]) -> None:
    """Two factories with one seed make equal data."""
    first, second = (factory_for(kind, seed=1).build() for _ in range(2))
    assert {name: value for name, value in vars(first).items() if name[0] != "_"} == {
        name: value for name, value in vars(second).items() if name[0] != "_"
    }
