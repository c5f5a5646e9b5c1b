"""Two ways, one answer, for rows with other rows inside: to-one and to-many, on every database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Database, ExactDecimal, ExactNumber, IntegerId, Listing, Resource, Routes, Schemas
from colonnade.query.parse import parse_list
from tests.property.generated import INSTANTS, TEXTS, Colour, Drawn, Tree, meets, read, trees_of, wire
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
    marks: Mapped[list[Mark]] = relationship(secondary="thing_mark", order_by="Mark.id", lazy="raise")


class Mark(IntegerId, Drawn):
    """What many things have, and a thing many of."""

    __tablename__ = "mark"

    text: Mapped[str] = mapped_column(sa.String(40))


LINKS = sa.Table(
    "thing_mark",
    Drawn.metadata,
    sa.Column("thing_id", sa.ForeignKey("thing.id"), primary_key=True),
    sa.Column("mark_id", sa.ForeignKey("mark.id"), primary_key=True),
)


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


class MarkShown(BaseModel):
    """A mark of a thing."""

    text: str


class ThingWithMarks(BaseModel):
    """A thing with its marks."""

    id: int
    marks: list[MarkShown]


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
            "marks": st.sets(st.integers(0, 3)),
        }
    ),
    max_size=8,
    unique_by=lambda row: row["rank"],
)


MARKS = ["new", "", "Grün", "a,b"]
RELATED = st.one_of(
    st.tuples(st.just("rank"), st.sampled_from(["gte", "lt"]), st.integers(-100, 100).map(lambda rank: (rank,))),
    st.tuples(st.just("price"), st.just("isnull"), st.booleans().map(lambda truth: (truth,))),
    st.tuples(st.just("owner.title"), st.sampled_from(["eq", "ne", "startswith"]), TEXTS.map(lambda text: (text,))),
    st.tuples(st.just("owner.colour"), st.just("isnull"), st.booleans().map(lambda truth: (truth,))),
    st.tuples(st.just("thing.rank"), st.sampled_from(["gte", "lt"]), st.integers(-100, 100).map(lambda rank: (rank,))),
    st.tuples(st.just("thing.owner.title"), st.just("eq"), TEXTS.map(lambda text: (text,))),
)


@settings(CASES, max_examples=25)
@given(OWNERS, THINGS, trees_of(RELATED))
def test_both_ways_find_the_same_rows_by_what_they_refer_to(
    bench: Bench, owners: list[dict[str, Any]], things: list[dict[str, Any]], tree: Any
) -> None:
    """S80: trees of conditions through one relation and two find what Python finds, and many-to-many relations are whole."""
    runner, database = bench
    runner.run(hold_found(database, owners, things, tree))


async def hold_found(database: Database, owners: list[dict[str, Any]], things: list[dict[str, Any]], tree: Any) -> None:
    """Store the rows, look for them both ways, compare."""
    await store(database, owners, things)
    rows = [flat(owners, things, index) for index in range(len(things))]
    wanted = [row["id"] for row in rows if reaches(row, tree)]
    fields = ["rank", "price", "owner.title", "owner.colour", "thing.rank", "thing.owner.title"]
    listing = Listing(filters=fields, sorts=["id"])
    question = urlencode({"sort": "id", "page_size": 3, "filter": json.dumps(member(tree))}).encode()
    for watching in (None, Watching()):
        found = Resource(Thing, listing=listing, service=watching, routes=Routes(plural="rows"))
        body = read((await found.reader.page(database, parse_list(question, found.rules))).body)
        assert (body["total"], [row["id"] for row in body["rows"]]) == (len(wanted), wanted[:3])
    marked = Resource(Thing, schemas=Schemas(response=ThingWithMarks), listing=listing, routes=Routes(plural="rows"))
    body = read((await marked.reader.page(database, parse_list(question, marked.rules))).body)
    shown = {
        index + 1: [{"text": MARKS[mark]} for mark in sorted(thing["marks"])] for index, thing in enumerate(things)
    }
    assert body["rows"] == [{"id": id, "marks": shown[id]} for id in wanted[:3]]


def flat(owners: Sequence[dict[str, Any]], things: Sequence[dict[str, Any]], index: int) -> dict[str, Any]:
    """Give a thing with what it refers to beside it; what leads nowhere has no key."""
    thing = things[index]
    row: dict[str, Any] = {"id": index + 1, "rank": thing["rank"], "price": thing["price"]}
    if (owner := owner_of(owners, thing)) is not None:
        row |= {"owner.title": owner["title"], "owner.colour": owner["colour"]}
    if thing["thing"] is not None:
        other = things[thing["thing"] % len(things)]
        row["thing.rank"] = other["rank"]
        if (owner := owner_of(owners, other)) is not None:
            row["thing.owner.title"] = owner["title"]
    return row


def reaches(row: dict[str, Any], part: Any) -> bool:
    """Say whether a thing meets a tree: a condition through a relation needs the row that it leads to."""
    if isinstance(part, Tree):
        found = [reaches(row, one) for one in part.parts]
        return not found[0] if part.word == "not" else any(found) if part.word == "or" else all(found)
    return part[0] in row and meets(row, part)


def member(part: Any) -> dict[str, Any]:
    """Write a part of a tree as JSON has it."""
    if isinstance(part, Tree):
        inner = [member(one) for one in part.parts]
        return {part.word: inner[0] if part.word == "not" else inner}
    return {f"{part[0]}__{part[1]}": part[2][0]}


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
        tables = [Drawn.metadata.tables[name] for name in ("owner", "thing", "mark", "thing_mark")]
        await connection.run_sync(Drawn.metadata.create_all, tables=tables)
        await connection.execute(sa.delete(LINKS))
        await connection.execute(sa.delete(Mark))
        await connection.execute(sa.update(Thing).values(thing_id=None))
        await connection.execute(sa.delete(Thing))
        await connection.execute(sa.delete(Owner))
        for index, owner in enumerate(owners):
            await connection.execute(sa.insert(Owner).values(id=KEYS[index], **owner))
        for index, thing in enumerate(things):
            row = {"id": index + 1, "rank": thing["rank"], "price": thing["price"], "at": thing["at"]}
            row["owner_id"] = None if thing["owner"] is None else KEYS[thing["owner"] % len(owners)]
            await connection.execute(sa.insert(Thing).values(row))
        await connection.execute(sa.insert(Mark), [{"id": index + 1, "text": text} for index, text in enumerate(MARKS)])
        for index, thing in enumerate(things):
            for mark in thing["marks"]:
                await connection.execute(sa.insert(LINKS).values(thing_id=index + 1, mark_id=mark + 1))
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
