"""Which response schemas are plain projections: everything that could alter a value sends it the ORM and Pydantic way."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, computed_field, field_serializer
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Base, ExactDecimal, ExactNumber
from colonnade.api.body import all_values
from colonnade.core.json import dump_json
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.facts import Kind, read_facts
from colonnade.schemas.derive import derive_create, derive_response
from colonnade.schemas.present import Presenter
from colonnade.schemas.projection import read_projection


class Alone(Base):
    """A base of this file."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Parcel(Alone):
    """A few columns."""

    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(10, 2))
    password_hash: Mapped[str]


FACTS = read_facts(Parcel)


class Computed(BaseModel):
    """Has a field of its own."""

    name: str

    @computed_field  # type: ignore[prop-decorator]  # Pydantic's documented way
    @property
    def loud(self) -> str:
        """The name, loudly."""
        return self.name.upper()


class Serialized(BaseModel):
    """Writes a field its own way."""

    name: str

    @field_serializer("name")
    def _loud(self, value: str) -> str:
        return value.upper()


class Renamed(BaseModel):
    name: str = Field(serialization_alias="title")


class ReadElsewhere(BaseModel):
    name: str = Field(validation_alias="password_hash")


class Lowered(BaseModel):
    name: Annotated[str, StringConstraints(to_lower=True)]


class Stripped(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True)] | None


class Checked(BaseModel):
    name: Annotated[str, AfterValidator(str.title)]


class Hidden(BaseModel):
    name: str
    price: Decimal | None = Field(exclude=True)


class OtherType(BaseModel):
    price: float | None


class NeverNull(BaseModel):
    price: Decimal


class Configured(BaseModel):
    model_config = ConfigDict(str_to_upper=True)
    name: str


class Elsewhere(BaseModel):
    nothing: str = "here"


class Bounded(BaseModel):
    id: int
    name: Annotated[str, StringConstraints(max_length=20)]
    price: ExactNumber | None


@pytest.mark.parametrize(
    "schema",
    [
        Computed, Serialized, Renamed, ReadElsewhere, Lowered, Stripped, Checked, Hidden, OtherType, NeverNull, Configured,
        Elsewhere,
    ],
)  # fmt: skip
def test_a_schema_that_may_alter_a_value_is_no_projection(schema: type[BaseModel]) -> None:
    """Serializers, aliases, transformations, exclusions, other types: none of them is compiled."""
    assert read_projection(schema, FACTS) is None


def test_bounds_alter_nothing() -> None:
    """What only checks was checked on its way in; keys keep the schema's order."""
    found = read_projection(Bounded, FACTS)
    assert found is not None
    assert found.keys == ("id", "name", "price")


def test_a_derived_response_is_a_projection_without_secrets() -> None:
    """S11: every column but the secret ones."""
    found = read_projection(derive_response(FACTS), FACTS)
    assert found is not None
    assert found.keys == ("id", "name", "price")


class Label(Alone):
    """On a parcel, still readable or not."""

    __tablename__ = "labels"

    id: Mapped[int] = mapped_column(primary_key=True)
    parcel_id: Mapped[int] = mapped_column(sa.ForeignKey("parcels.id"))
    readable: Mapped[bool]


class Shelf(Alone):
    """Beside parcels, by two relations of which one has a condition."""

    __tablename__ = "parcel_shelves"

    id: Mapped[int] = mapped_column(sa.ForeignKey("parcels.id"), primary_key=True)
    ratio: Mapped[float] = mapped_column(sa.Numeric(10, 2, asdecimal=False))
    labels: Mapped[list[Label]] = relationship(
        Label, primaryjoin=lambda: Shelf.id == sa.orm.foreign(Label.parcel_id), viewonly=True, lazy="raise"
    )
    readable: Mapped[list[Label]] = relationship(
        Label,
        primaryjoin=lambda: sa.and_(Shelf.id == sa.orm.foreign(Label.parcel_id), Label.readable.is_(True)),
        viewonly=True,
        lazy="raise",
    )


class LabelShown(BaseModel):
    id: int


class AllLabels(BaseModel):
    labels: list[LabelShown]


class ReadableLabels(BaseModel):
    readable: list[LabelShown]


def test_a_relation_with_a_condition_is_no_projection() -> None:
    """The compiled way knows foreign keys only: what a condition hides must not be shown."""
    facts = read_facts(Shelf)
    assert read_projection(AllLabels, facts) is not None
    assert read_projection(ReadableLabels, facts) is None


def test_a_numeric_column_of_floats_is_one() -> None:
    """`Numeric(asdecimal=False)` gives floats, on either way."""
    assert read_facts(Shelf).columns["ratio"].kind is Kind.FLOAT


class Made(BaseModel):
    name: str = Field(default_factory=lambda: "made")
    price: Decimal | None = None


def test_a_schemas_own_default_is_stored() -> None:
    """A default factory of the user's schema counts; what derived schemas stand in with does not."""
    assert all_values(Made()) == {"name": "made"}
    create = derive_create(FACTS)
    assert all_values(create(name="a", password_hash="b")) == {"name": "a", "password_hash": "b"}


class Prices(BaseModel):
    """Decimals in every place."""

    one: Decimal
    none: Decimal | None = None
    several: list[Decimal]
    named: dict[str, Decimal]
    hidden: Decimal = Field(exclude=True)


def test_decimals_are_numbers_wherever_they_stand() -> None:
    """C19: in a list and in a mapping too, and an excluded one stays away."""
    row: Any = {
        "one": Decimal("1.10"),
        "several": [Decimal("2.0")],
        "named": {"a": Decimal("3.00")},
        "hidden": Decimal(4),
    }
    shown = dump_json(Presenter(Prices).present(row))
    assert shown == b'{"one":1.10,"none":null,"several":[2.0],"named":{"a":3.00}}'
