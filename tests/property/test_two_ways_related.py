"""Two ways, one answer, for rows with other rows inside: to-one and to-many, on every database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Database, ExactDecimal, ExactNumber, IntegerId, Listing, Resource, Routes, Schemas
from colonnade.query.parse import parse_list
from tests.property.generated import INSTANTS, TEXTS, Colour, Drawn, read, wire
from tests.property.test_two_ways import CASES, Bench, Watching, bench, pytestmark

__all__ = ["bench", "pytestmark"]


class Owner(Drawn):
    """What is referred to; its key is a UUID, its attributes have other names than their columns."""

    __tablename__ = "owner"

    id: Mapped[UUID] = mapped_column("owner_key", primary_key=True)
    title: Mapped[str] = mapped_column("name", sa.String(40))
    colour: Mapped[Colour | None]
    things: Mapped[list[Thing]] = relationship(back_populates="owner", order_by="Thing.rank", lazy="raise")


class Thing(IntegerId, Drawn):
    """What refers: to an owner, and to another thing."""

    __tablename__ = "thing"

    rank: Mapped[int] = mapped_column(sa.SmallInteger, unique=True)
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(12, 3))
    at: Mapped[datetime] = mapped_column("happened_at")
    owner_id: Mapped[UUID | None] = mapped_column("owner_ref", sa.ForeignKey("owner.owner_key"))
    thing_id: Mapped[int | None] = mapped_column(sa.ForeignKey("thing.id"))
    owner: Mapped[Owner | None] = relationship(back_populates="things", lazy="raise")
    thing: Mapped[Thing | None] = relationship(remote_side="Thing.id", lazy="raise")


class OwnerShown(BaseModel):
    """An owner inside a thing."""

    title: str
    colour: Colour | None


class PlainThing(BaseModel):
    """A thing inside another, or inside its owner."""

    price: ExactNumber | None
    rank: int


class ThingShown(BaseModel):
    """A thing with what it refers to, in an order that is not the table's."""

    owner: OwnerShown | None
    price: ExactNumber | None
    thing: PlainThing | None
    id: int


class OwnerWithThings(BaseModel):
    """An owner with its things."""

    title: str
    things: list[PlainThing]


KEYS = [UUID(int=number << 64 | number) for number in range(1, 5)]
OWNERS = st.lists(
    st.fixed_dictionaries({"title": TEXTS, "colour": st.none() | st.sampled_from(Colour)}), min_size=1, max_size=4
)
THINGS = st.lists(
    st.fixed_dictionaries(
        {
            "rank": st.integers(-100, 100),
            "price": st.none() | st.integers(-(10**12) + 1, 10**12 - 1).map(lambda scaled: Decimal(scaled).scaleb(-3)),
            "at": INSTANTS,
            "owner": st.none() | st.integers(0, 3),
            "thing": st.none() | st.integers(0, 7),
        }
    ),
    max_size=8,
    unique_by=lambda row: row["rank"],
)


@settings(CASES, max_examples=25)
@given(OWNERS, THINGS, st.booleans())
def test_both_ways_give_the_same_related_rows(
    bench: Bench, owners: list[dict[str, Any]], things: list[dict[str, Any]], descending: bool
) -> None:
    """S31: to-one and to-many relations read alike both ways, and hold what Python puts together."""
    runner, database = bench
    runner.run(hold_together(database, owners, things, "-" if descending else ""))


async def hold_together(
    database: Database, owners: list[dict[str, Any]], things: list[dict[str, Any]], sign: str
) -> None:
    """Store the rows, ask both ways, compare."""
    await store(database, owners, things)
    shown = [show_thing(owners, things, index) for index in range(len(things))]
    with_things = [
        {
            "title": owner["title"],
            "things": [
                show_plain(thing)
                for thing in sorted(things, key=lambda row: int(row["rank"]))
                if owner_of(owners, thing) is owner
            ],
        }
        for owner in owners
    ]
    for watching in (None, Watching()):
        found = Resource(
            Thing, schemas=Schemas(response=ThingShown), listing=Listing(sorts=["id"]), service=watching,
            routes=Routes(plural="rows"),
        )  # fmt: skip
        assert (found.reader.whole.projection is None) == (watching is not None)
        body = read((await found.reader.page(database, parse_list(f"sort={sign}id".encode(), found.rules))).body)
        assert body["rows"] == (shown[::-1] if sign else shown)
        found = Resource(
            Owner, schemas=Schemas(response=OwnerWithThings), listing=Listing(sorts=["id"]), service=watching,
            routes=Routes(plural="rows"),
        )  # fmt: skip
        body = read((await found.reader.page(database, parse_list(b"sort=id", found.rules))).body)
        assert body["rows"] == with_things
        assert read((await found.reader.get(database, KEYS[0])).body) == with_things[0]


async def store(database: Database, owners: Sequence[dict[str, Any]], things: Sequence[dict[str, Any]]) -> None:
    """Empty the two tables, or make them, and fill them."""
    async with database.engine.begin() as connection:
        tables = [Drawn.metadata.tables[name] for name in ("owner", "thing")]
        await connection.run_sync(Drawn.metadata.create_all, tables=tables)
        await connection.execute(sa.update(Thing).values(thing_id=None))
        await connection.execute(sa.delete(Thing))
        await connection.execute(sa.delete(Owner))
        for index, owner in enumerate(owners):
            await connection.execute(sa.insert(Owner).values(id=KEYS[index], **owner))
        for index, thing in enumerate(things):
            row = {"id": index + 1, "rank": thing["rank"], "price": thing["price"], "at": thing["at"]}
            row["owner_id"] = None if thing["owner"] is None else KEYS[thing["owner"] % len(owners)]
            await connection.execute(sa.insert(Thing).values(row))
        for index, thing in enumerate(things):
            if thing["thing"] is not None:
                other = thing["thing"] % len(things) + 1
                await connection.execute(sa.update(Thing).where(Thing.id == index + 1).values(thing_id=other))


def owner_of(owners: Sequence[dict[str, Any]], thing: dict[str, Any]) -> dict[str, Any] | None:
    """Find the owner that a drawn thing refers to."""
    number: int | None = thing["owner"]
    return None if number is None else owners[number % len(owners)]


def show_thing(owners: Sequence[dict[str, Any]], things: Sequence[dict[str, Any]], index: int) -> dict[str, Any]:
    """Show a thing as `ThingShown` should."""
    thing = things[index]
    owner = owner_of(owners, thing)
    other = None if thing["thing"] is None else things[thing["thing"] % len(things)]
    return {
        "owner": owner and {"title": owner["title"], "colour": wire(owner["colour"])},
        "price": thing["price"],
        "thing": other and show_plain(other),
        "id": index + 1,
    }


def show_plain(thing: dict[str, Any]) -> dict[str, Any]:
    """Show a thing as `PlainThing` should."""
    return {"price": thing["price"], "rank": thing["rank"]}
