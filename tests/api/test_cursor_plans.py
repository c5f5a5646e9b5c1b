"""A step of a walk by cursor costs the same at any depth: it enters an index at its place, and sorts no more than a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from colonnade import Base, Database, IntegerId, Listing, Resource, Settings, create_app
from tests.library import client_of
from tests.plans import analyze, noted, rows_read

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

ROWS = 4000
LITTLE = 450


class Quarry(Base):
    """The base of this model; its table is no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData()


class Stone(IntegerId, Quarry):
    """Has a weight or none, and a colour that many have."""

    __tablename__ = "stones"
    __table_args__ = (sa.Index("ix_stones_weight_id", "weight", "id"), sa.Index("ix_stones_colour_id", "colour", "id"))

    weight: Mapped[int | None]
    colour: Mapped[int]
    size: Mapped[int]


class Pebble(IntegerId, Quarry):
    """The same, indexed for an order whose keys go different ways, and for one by a nullable key after another."""

    __tablename__ = "pebbles"
    __table_args__ = (
        sa.Index("ix_pebbles_mixed", sa.desc("colour"), "size", "id"),
        sa.Index("ix_pebbles_nullable", "colour", "weight", "id"),
    )

    weight: Mapped[int | None]
    colour: Mapped[int]
    size: Mapped[int]


@pytest.fixture
def database(database_url: str) -> Database:
    """A database for them."""
    return Database(database_url, metadata=Quarry.metadata)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of many of them; every other stone has no weight."""
    listing = Listing(sorts=["id", "weight", "colour", "size"])
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it
    app = create_app(
        [Resource(Stone, listing=listing), Resource(Pebble, listing=listing)], database=database, settings=settings
    )
    async with app.router.lifespan_context(app), client_of(app) as client:
        rows = [
            {"weight": None if number % 2 else number * 7919 % ROWS, "colour": number % 4, "size": number % 1000}
            for number in range(ROWS)
        ]
        columns = "weight, colour, size"
        async with database.engine.begin() as connection:
            await connection.execute(sa.insert(Stone), rows)
            for _ in range(3 if database.dialect.name == "postgresql" else 0):  # it scans, rightly, what is small
                await connection.exec_driver_sql(f"INSERT INTO stones ({columns}) SELECT {columns} FROM stones")
            await connection.exec_driver_sql(f"INSERT INTO pebbles ({columns}) SELECT {columns} FROM stones")
        for table in ("stones", "pebbles"):
            await analyze(database, table)
        yield client


async def worst(client: httpx.AsyncClient, database: Database, path: str, limits: Sequence[int]) -> tuple[int, Json]:
    """Walk some steps, and give the most rows that any part of any of them read, and the last row."""
    cursor, most, step = "", 0, {}
    for limit in limits:
        with noted(database) as ran:
            step = (await client.get(f"{path}&limit={limit}&cursor={cursor}")).json()
        cursor, most = step["next_cursor"], max(most, await rows_read(database, ran[0]))
    return most, step[path.partition("?")[0]][-1]


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
async def test_every_step_enters_an_index(client: httpx.AsyncClient, database: Database) -> None:
    """S82: by id, a nullable key and a repeated one, up and down, no step reads or sorts more than some pages."""
    for sort in ("id", "-id", "weight", "-weight", "colour", "-colour"):
        most, _ = await worst(client, database, f"stones?sort={sort}", (5, 100, 5, 5))
        assert most <= LITTLE, sort


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
async def test_keys_that_go_different_ways_enter_their_index(client: httpx.AsyncClient, database: Database) -> None:
    """S82: with an index that goes the same ways."""
    most, _ = await worst(client, database, "pebbles?sort=-colour,size", (5, 100, 5, 5))
    assert most <= LITTLE


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
async def test_a_walk_among_nulls_enters_the_index(client: httpx.AsyncClient, database: Database) -> None:
    """S82: the rows without a key are a range of its index too, from where they begin and from their middle."""
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE stones SET weight = NULL WHERE weight > 20")
    await analyze(database, "stones")
    for sort in ("weight", "-weight"):
        most, last = await worst(client, database, f"stones?sort={sort}", (100, 20, 20))
        assert (most <= LITTLE, last["weight"]) == (True, None), sort


@pytest.mark.databases("postgresql")
async def test_a_key_that_is_null_nowhere_is_not_looked_for_everywhere(
    client: httpx.AsyncClient, database: Database
) -> None:
    """S82: no stone of the even colours lacks a weight, and the index tells, not a walk through all rows by their id."""
    most, last = await worst(client, database, "pebbles?sort=colour,weight", (100, 20, 20))
    assert (most <= LITTLE, last["colour"]) == (True, 0), most


@pytest.mark.databases("postgresql")
async def test_the_plan_of_a_step_is_kept(client: httpx.AsyncClient, database: Database) -> None:
    """S82: once a step was asked for a few times PostgreSQL plans it no more: its connection runs what it has."""
    await worst(client, database, "stones?sort=colour", (20,) * 9)
    async with database.engine.connect() as connection:
        kept = await connection.exec_driver_sql(
            "SELECT max(generic_plans) FROM pg_prepared_statements WHERE statement LIKE 'SELECT stones.%'"
        )
        assert kept.scalar_one() > 0
