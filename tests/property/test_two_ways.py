"""Two ways, one answer: the compiled way, the ORM and Pydantic way, and plain Python agree on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Database, Listing, Resource, Routes, Service
from colonnade.core.sealing import Seal
from colonnade.query.cursor import open_walk
from colonnade.query.parse import parse_list
from tests.property.generated import Asked, Drawn, Table, expected, holds, read, requests_of, rows_of, tables, wire

pytestmark = [
    # SQLite has no exact decimals, and SQLAlchemy says so of plain NUMERIC; ten digits survive all the same.
    pytest.mark.filterwarnings("ignore:Dialect sqlite:sqlalchemy.exc.SAWarning"),
]

CASES = settings(
    max_examples=100,
    deadline=None,
    # A failing case is small as it is, and each try of a smaller one makes a table.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


SEAL = Seal(b"a key of this test's own")


class Watching(Service):
    """Sends every read the ORM and Pydantic way, and changes nothing."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Look on."""


Bench = tuple[asyncio.Runner, Database]


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    """An empty database, and the event loop that it belongs to: Hypothesis itself is synchronous."""
    with asyncio.Runner() as runner:
        database = Database(database_url)
        runner.run(database.ping())  # a memory database lives from its first connection on
        yield runner, database
        runner.run(database.dispose())


async def store(database: Database, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Make a table and fill it."""
    async with database.engine.begin() as connection:
        await connection.run_sync(table.create)
        for row in rows:
            await connection.execute(sa.insert(table).values(row))


async def drop(database: Database, *dropped: sa.Table) -> None:
    """Forget tables, here and in the database."""
    async with database.engine.begin() as connection:
        for table in dropped:
            await connection.run_sync(table.drop)
            Drawn.metadata.remove(table)


@CASES
@given(st.data())
def test_both_ways_give_the_same_rows(bench: Bench, data: st.DataObject) -> None:
    """S51: whatever table, rows and query: both ways give the same JSON, and it is what Python says."""
    runner, database = bench
    table: Table = data.draw(tables())
    rows = data.draw(rows_of(table))
    asked: list[Asked] = [data.draw(requests_of(table, rows)) for _ in range(3)]
    runner.run(hold_together(database, table, rows, asked))


async def hold_together(
    database: Database, table: Table, rows: Sequence[dict[str, Any]], asked: Sequence[Asked]
) -> None:
    """Store the rows, ask both ways, compare."""
    fields = list(table.sorts)
    listing = Listing(filters=fields, sorts=["id", *fields])
    compiled = Resource(table.model, listing=listing, routes=Routes(plural="rows"))
    watched = Resource(table.model, listing=listing, routes=Routes(plural="rows"), service=Watching())
    assert compiled.reader.whole.projection is not None
    assert watched.reader.whole.projection is None
    await store(database, table.model.__table__, rows)  # type: ignore[arg-type]  # a Table
    try:
        for request in asked:
            await compare_lists(database, (compiled, watched), table, rows, request)
            await compare_walks(database, (compiled, watched), table, rows, request)
        for row in rows[:2]:
            one = (await compiled.reader.get(database, row["id"])).body
            other = (await watched.reader.get(database, row["id"])).body
            assert read(one) == read(other) == {key: wire(value) for key, value in row.items()}
    finally:
        await drop(database, table.model.__table__)  # type: ignore[arg-type]  # a Table


async def compare_lists(
    database: Database, ways: tuple[Resource, Resource], table: Table, rows: Sequence[dict[str, Any]], asked: Asked
) -> None:
    """Ask both ways and Python, and hold them to each other."""
    compiled, watched = ways
    request = parse_list(asked.query, compiled.rules)
    one = read((await compiled.reader.page(database, request)).body)
    other = read((await watched.reader.page(database, request)).body)
    assert one == other
    if (wanted := expected(table, rows, asked)) is not None:
        ids, total = wanted
        assert [row["id"] for row in one["rows"]] == ids
        assert one["total"] == total
    by_id = {row["id"]: {key: wire(value) for key, value in row.items()} for row in rows}
    assert one["rows"] == [by_id[row["id"]] for row in one["rows"]]


async def compare_walks(
    database: Database, ways: tuple[Resource, Resource], table: Table, rows: Sequence[dict[str, Any]], asked: Asked
) -> None:
    """Walk through the whole list by cursors both ways: each row once, in the list's own order."""
    one, other = [await walk(database, resource, asked) for resource in ways]
    assert one == other
    assert sorted(one) == [row["id"] for row in rows if holds(row, asked)]
    whole = parse_list(asked.question + b"&limit=100", ways[0].rules)
    assert one == [row["id"] for row in read((await ways[0].reader.page(database, whole)).body)["rows"]]


async def walk(database: Database, resource: Resource, asked: Asked) -> list[Any]:
    """Give the ids that a walk meets, in its order."""
    ids: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        query = asked.question + f"&limit={asked.limit}&cursor={cursor}".encode()
        request = open_walk(resource.reader.facts, parse_list(query, resource.rules), SEAL)
        page = await resource.reader.page(database, request)
        ids += [row["id"] for row in read(page.body)["rows"]]
        cursor = page.next_cursor
    return ids
