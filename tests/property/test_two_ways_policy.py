"""Two ways, one answer, under drawn policies: the same rows in reach, and the same fields seen of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from colonnade import Database, Listing, NotFoundError, Policy, Principal, Resource, Routes, allow, anyone
from colonnade.query.parse import parse_list
from colonnade.query.request import WHOLE, View
from tests.property.generated import Table, read, rows_of, tables, wire
from tests.property.test_two_ways import CASES, Bench, Watching, bench, drop, pytestmark, store

__all__ = ["bench", "pytestmark"]

# What equals what is told alike by Python and every database.
TOLD = frozenset({"small", "number", "large", "flag", "colour", "mood", "word", "day", "key", "whole"})

Drawn = Sequence[tuple[dict[str, Any], frozenset[str]]]


@st.composite
def grants_of(draw: st.DrawFn, table: Table, rows: Sequence[Mapping[str, Any]]) -> Drawn:
    """Draw up to three grants: the values that its rows have, and the fields that it hides of them."""
    tellers = [key for key in table.sorts if key.rpartition("_")[0] in TOLD]
    drawn = []
    for _ in range(draw(st.integers(1, 3))):
        keys = draw(st.lists(st.sampled_from(tellers), max_size=2, unique=True)) if tellers and rows else []
        where = {key: draw(st.sampled_from([row[key] for row in rows])) for key in keys}
        drawn.append((where, frozenset(draw(st.sets(st.sampled_from(["id", *table.sorts]), max_size=4)))))
    return drawn


@settings(CASES, max_examples=20)
@given(st.data())
def test_both_ways_show_the_same_under_a_policy(bench: Bench, data: st.DataObject) -> None:
    """S51, S78: whatever the policy: both ways give the same JSON, and it is what Python says of each row."""
    runner, database = bench
    table: Table = data.draw(tables())
    rows = data.draw(rows_of(table))
    runner.run(hold_together(database, table, rows, data.draw(grants_of(table, rows))))


async def hold_together(database: Database, table: Table, rows: Sequence[dict[str, Any]], grants: Drawn) -> None:
    """Store the rows, ask both ways, compare."""
    policy = Policy(*[allow("read", to=anyone, where=where, hide=hidden) for where, hidden in grants])
    listing = Listing(sorts=["id"], default_sort="id")
    ways = [
        Resource(table.model, listing=listing, routes=Routes(plural="rows"), service=service, policy=policy)
        for service in (None, Watching())
    ]
    await store(database, table.model.__table__, rows)  # type: ignore[arg-type]  # a Table
    try:
        wanted = [shown for row in rows if (shown := seen(row, grants)) is not None]
        texts = [await listed(database, resource) for resource in ways]
        assert texts[0] == texts[1]
        assert read(texts[0])["rows"] == wanted
        for row in rows[:2]:
            await compare_one(database, ways, row, seen(row, grants))
    finally:
        await drop(database, table.model.__table__)  # type: ignore[arg-type]  # a Table


async def listed(database: Database, resource: Resource) -> bytes:
    """Give the body of a list."""
    sight = resource.reader.gate.sight(Principal())
    request = parse_list(b"limit=100", resource.rules.of(sight), sight)
    return (await resource.reader.page(database, request)).body


async def compare_one(
    database: Database, ways: Sequence[Resource], row: Mapping[str, Any], wanted: dict[str, Any] | None
) -> None:
    """Ask for one row both ways: it is what it is in the list, or not there."""
    for resource in ways:
        sight = resource.reader.gate.sight(Principal())
        try:
            found = read((await resource.reader.get(database, row["id"], View(permit=sight) if sight else WHOLE)).body)
        except NotFoundError:
            found = None
        assert found == wanted


def seen(row: Mapping[str, Any], grants: Drawn) -> dict[str, Any] | None:
    """Say what is seen of a row: what one of the grants that reach it does not hide; None where none reaches it."""
    reaching = [hidden for where, hidden in grants if all(row[key] == value for key, value in where.items())]
    if not reaching:
        return None
    return {key: wire(value) for key, value in row.items() if any(key not in hidden for hidden in reaching)}
