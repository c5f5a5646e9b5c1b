"""Many rows deleted softly at once, with what goes along: a few statements, however many rows there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from colonnade import Database, Listing, Resource, Settings, create_app
from tests.api.test_deleted_parents import Bough, Leaf, Nest, Tree, Woods
from tests.library import client_of, places

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(database_url: str) -> Database:
    """The database."""
    return Database(database_url, metadata=Woods.metadata)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of trees with boughs, leaves and nests."""
    listing = Listing(deleted=True, filters=["id", "name"])
    resources = [
        Resource(Tree, listing=listing),
        *(Resource(one, listing=Listing(deleted=True)) for one in (Bough, Leaf)),
    ]
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it
    app = create_app([*resources, Resource(Nest)], database=database, settings=settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def plant(client: httpx.AsyncClient, count: int) -> list[int]:
    """Make trees with a bough and a leaf each, and give the trees' ids."""
    trees = (await client.post("trees/bulk", json={"items": [{"name": "oak"}] * count})).json()["trees"]
    ids = [row["id"] for row in trees]
    boughs = (await client.post("boughs/bulk", json={"items": [{"tree_id": id} for id in ids]})).json()["boughs"]
    await client.post("leaves/bulk", json={"items": [{"bough_id": row["id"]} for row in boughs]})
    return ids


async def totals(client: httpx.AsyncClient) -> list[int]:
    """Count the trees, boughs and leaves that are seen."""
    return [(await client.get(f"{path}?page_size=1")).json()["total"] for path in ("trees", "boughs", "leaves")]


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Gather what sessions run inside the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_many_parents_go_with_their_children_by_few_statements(
    client: httpx.AsyncClient, database: Database
) -> None:
    """S52, S74: as many for forty trees as for two, by ids and by filter; each comes back with what went with it."""
    counts = []
    for count in (2, 40):
        ids = await plant(client, count)
        with statements(database) as seen:
            answer = await client.post("trees/bulk-delete", json={"ids": ids})
        assert answer.json() == {"affected": count}
        counts.append(len([one for one in seen if "trees" in one or "boughs" in one or "leaves" in one]))
        assert await totals(client) == [0, 0, 0]
    assert counts[0] == counts[1] < 12
    assert (await client.post(f"trees/{ids[0]}/restore")).status_code == 200
    assert await totals(client) == [1, 1, 1]
    await plant(client, 3)
    body = {"filter": {"or": [{"id__gt": ids[-1]}, {"not": {"name": "oak"}}]}, "max_affected": 3}
    assert (await client.post("trees/bulk-delete", json=body)).json() == {"affected": 3}
    assert await totals(client) == [1, 1, 1]


async def test_one_that_cannot_go_keeps_them_all(client: httpx.AsyncClient) -> None:
    """S52, S74: 409 names the row whose child refuses, 404 the row that is not there, and nothing is deleted."""
    ids = await plant(client, 3)
    gone = (await plant(client, 1))[0]
    assert (await client.delete(f"trees/{gone}")).status_code == 204
    assert places(await client.post("trees/bulk-delete", json={"ids": [*ids, gone]}), 404) == ["/ids/3"]
    bough = (await client.get("boughs?page_size=2")).json()["boughs"][1]
    assert (await client.post("nests", json={"bough_id": bough["id"]})).status_code == 201
    assert places(await client.post("trees/bulk-delete", json={"ids": ids}), 409) == [
        f"/ids/{ids.index(bough['tree_id'])}"
    ]
    assert await totals(client) == [3, 3, 3]
    answer = await client.post("trees/bulk-delete?atomic=false", json={"ids": ids})
    assert sorted(result["status"] for result in answer.json()["results"]) == [204, 204, 409]


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({"or": []}, "/filter/or"),
        ({"or": [{"id": 1}, {"height": 3}]}, "/filter/or/1/height"),
        ({"not": {"id": "x"}}, "/filter/not/id"),
        ({"and": [{"or": [{"not": {"and": [{"not": {"id": 1}}]}}]}]}, "/filter/and/0/or/0/not/and/0"),
        ({"or": [{"id": 1}] * 51}, "/filter"),
        ({"not": None}, "/filter/not"),
    ],
)
async def test_a_tree_that_does_not_fit_is_told_by_its_place(client: httpx.AsyncClient, tree: Any, place: str) -> None:
    """S80: 422 at the member, in the body."""
    answer = await client.post("trees/bulk-delete", json={"filter": tree, "max_affected": 5})
    assert places(answer, 422) == [place]
