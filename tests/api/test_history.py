"""What is recorded of changes, on both ways of making them, and how it is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from colonnade.models.history import HISTORY
from tests.library import problem
from tests.workshop import ADMIN, client_of, history, new_tool, told, workshop

pytestmark = pytest.mark.anyio

SAW = {"name": {"before": None, "after": "Saw"}, "owner_id": {"before": None, "after": 1}}


@pytest.fixture(params=["compiled", "by session"])
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[FastAPI]:
    """The workshop, changed either way."""
    async with workshop(database_url, watched=request.param == "by session") as started:
        yield started


@pytest.fixture
async def admin(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who may do everything."""
    async with client_of(app, ADMIN) as client:
        yield client


async def test_a_row_tells_its_life(admin: httpx.AsyncClient) -> None:
    """Created, changed, replaced, deleted, restored: each with the version after it, and what it changed."""
    await new_tool(admin, price=19.9)
    assert (await admin.patch("tools/1", json={"price": 17.5})).status_code == 200
    assert (await admin.put("tools/1", json={"name": "Axe", "price": 17.5})).status_code == 200
    assert (await admin.delete("tools/1")).status_code == 204
    assert (await admin.post("tools/1/restore")).status_code == 200
    assert await told(admin, "tools/1") == [
        ("create", 1, {**SAW, "price": {"before": None, "after": 19.9}}),
        ("update", 2, {"price": {"before": 19.9, "after": 17.5}}),
        ("replace", 3, {"name": {"before": "Saw", "after": "Axe"}}),
        ("delete", 4, {}),
        ("restore", 5, {}),
    ]


@pytest.mark.databases("sqlite-memory")
async def test_an_entry_says_who_when_and_by_which_request(admin: httpx.AsyncClient) -> None:
    """The account's key, a time in UTC, and the `X-Request-ID`."""
    await admin.post("tools", json={"name": "Saw"}, headers={"X-Request-ID": "morning-1"})
    answer = await admin.get("tools/1/history")
    (entry,) = answer.json()["history"]
    assert list(entry) == ["id", "operation", "changed_at", "principal", "request_id", "version", "changes"]
    assert (entry["principal"], entry["request_id"]) == ("account:1", "morning-1")
    assert entry["changed_at"].endswith("Z")


async def test_values_are_what_the_wire_shows(admin: httpx.AsyncClient) -> None:
    """Decimals digit by digit, times with their offset, documents as they are."""
    sent = {"opens": "12:30:00.020000", "bought": "2026-01-31T12:00:00+02:00", "extra": {"a": [1.5, None]}}
    row = await new_tool(admin, price=19.90, **sent)
    (entry,) = await history(admin, "tools/1")
    for key in ("price", *sent):
        assert entry["changes"][key]["after"] == row[key]
    assert '"after":19.90' in (await admin.get("tools/1/history")).text


@pytest.mark.databases("sqlite-memory")
async def test_a_change_that_changes_nothing_is_none(admin: httpx.AsyncClient) -> None:
    """An empty PATCH leaves the version and the history; a refused one does too."""
    await new_tool(admin)
    assert (await admin.patch("tools/1", json={})).status_code == 200
    assert (await admin.patch("tools/1", json={"price": 1}, headers={"If-Match": '"9"'})).status_code == 412
    await new_tool(admin, "Axe")
    assert (await admin.patch("tools/1", json={"name": "Axe"})).status_code == 409
    assert [operation for operation, *_ in await told(admin, "tools/1")] == ["create"]


async def test_many_at_once_are_recorded_each(admin: httpx.AsyncClient) -> None:
    """S52, S72: bulk create, change by ids, by items and by filter, upsert and delete leave an entry a row."""
    made = await admin.post("tools/bulk", json={"items": [{"name": name} for name in ("a", "b", "c")]})
    assert made.status_code == 201
    for body in (
        {"ids": [1, 2], "set": {"price": 1}},
        {"items": [{"id": 1, "price": 2}, {"id": 2, "version": 2, "price": 3}]},
    ):
        assert (await admin.patch("tools/bulk", json=body)).status_code == 200
    upserted = await admin.put("tools/bulk", json={"items": [{"name": "a", "price": 4}, {"name": "d"}]})
    assert upserted.status_code == 200, upserted.text
    assert (await admin.post("tools/bulk-delete", json={"ids": [1, 2]})).status_code == 200
    assert [(operation, version) for operation, version, _ in await told(admin, "tools/1")] == [
        ("create", 1), ("update", 2), ("update", 3), ("update", 4), ("delete", 5)
    ]  # fmt: skip
    assert (await told(admin, "tools/2"))[2] == ("update", 3, {"price": {"before": 1, "after": 3}})
    assert [operation for operation, *_ in await told(admin, "tools/3")] == ["create"]
    assert [operation for operation, *_ in await told(admin, "tools/4")] == ["create"]


@pytest.mark.databases("sqlite-memory")
async def test_what_is_made_singly_is_recorded_singly(admin: httpx.AsyncClient) -> None:
    """`atomic=false`: an item that is refused leaves no entry, the others do."""
    await new_tool(admin)
    answer = await admin.post("tools/bulk?atomic=false", json={"items": [{"name": "Saw"}, {"name": "Axe"}]})
    assert [one["status"] for one in answer.json()["results"]] == [409, 201]
    id = answer.json()["results"][1]["body"]["id"]
    assert [operation for operation, *_ in await told(admin, f"tools/{id}")] == ["create"]
    assert len(await told(admin, "tools/1")) == 1


async def test_a_batch_records_what_it_commits(admin: httpx.AsyncClient) -> None:
    """One transaction, its own history inside it; a dry run leaves none."""
    create = {"id": "t", "method": "POST", "path": "/api/v1/tools", "body": {"name": "Saw"}}
    part = {
        "id": "p",
        "method": "POST",
        "path": "/api/v1/tool-parts",
        "body": {"tool_id": {"$ref": "t.id"}, "name": "x"},
    }
    tried = await admin.post("batch", json={"operations": [create, part], "dry_run": True})
    assert tried.status_code == 200, tried.text
    answer = await admin.post("batch", json={"operations": [create, part]})
    assert answer.status_code == 200, answer.text
    id, part_id = [result["body"]["id"] for result in answer.json()["results"]]
    assert [operation for operation, *_ in await told(admin, f"tools/{id}")] == ["create"]
    assert {entry["principal"] for entry in await history(admin, f"tool-parts/{part_id}")} == {"account:1"}


async def test_what_goes_along_is_recorded(admin: httpx.AsyncClient) -> None:
    """S74: a part that is deleted and restored with its tool says so; one that was deleted before does not."""
    await new_tool(admin)
    for name in ("blade", "handle"):
        assert (await admin.post("tool-parts", json={"tool_id": 1, "name": name})).status_code == 201
    assert (await admin.delete("tool-parts/2")).status_code == 204
    assert (await admin.delete("tools/1")).status_code == 204
    assert (await admin.post("tools/1/restore")).status_code == 200
    assert (await admin.post("tools/bulk-delete", json={"ids": [1]})).status_code == 200
    assert [(operation, version) for operation, version, _ in await told(admin, "tool-parts/1")] == [
        ("create", 1), ("delete", 2), ("restore", 3), ("delete", 4)
    ]  # fmt: skip
    assert [operation for operation, *_ in await told(admin, "tool-parts/2")] == ["create", "delete"]
    assert [entry["principal"] for entry in await history(admin, "tool-parts/1")] == ["account:1"] * 4


@pytest.mark.databases("sqlite-memory")
async def test_a_row_that_was_removed_for_good_keeps_no_values(admin: httpx.AsyncClient, app: FastAPI) -> None:
    """Who did what and when remains, for those who read every history; what the row held does not."""
    await new_tool(admin)
    await admin.patch("tools/1", json={"name": "Axe"})
    await admin.delete("tools/1")
    assert (await admin.delete("tools/1?permanent=true")).status_code == 204
    assert [operation for operation, *_ in await told(admin, "tools/1")] == ["create", "update", "delete", "purge"]
    assert all(changes == {} for *_, changes in await told(admin, "tools/1"))
    async with client_of(app, "1 user") as owner:
        problem(await owner.get("tools/1/history"), 404)


@pytest.mark.databases("sqlite-memory")
async def test_a_row_of_a_table_without_soft_deletion_keeps_what_it_held(admin: httpx.AsyncClient) -> None:
    """Its deletion is the only one that there is, and says what was lost."""
    await admin.post("tool-labels", json={"code": "x", "words": "sharp"})
    await admin.delete("tool-labels/x")
    assert (await told(admin, "tool-labels/x"))[1] == (
        "delete", None, {"words": {"before": "sharp", "after": None}, "owner_id": {"before": 1, "after": None}}
    )  # fmt: skip


@pytest.mark.databases("sqlite-memory")
async def test_a_row_that_never_was_has_no_history(admin: httpx.AsyncClient) -> None:
    """S17: 404, whichever page is asked for."""
    for query in ("", "?page=3", "?cursor="):
        assert problem(await admin.get(f"tools/99/history{query}"), 404)["code"] == "CLN400"


@pytest.mark.databases("sqlite-memory")
async def test_a_history_comes_in_pages(admin: httpx.AsyncClient) -> None:
    """S33: the newest first, with the envelope, the links and the cursors of every list."""
    await new_tool(admin)
    for price in range(1, 13):
        await admin.patch("tools/1", json={"price": price})
    first = await admin.get("tools/1/history")
    assert [entry["version"] for entry in first.json()["history"]] == list(range(13, 3, -1))
    assert (first.json()["total"], first.json()["page"], first.json()["page_size"]) == (13, 1, 10)
    assert 'rel="next"' in first.headers["link"]
    walked, cursor = [], ""
    while cursor is not None:
        step = (await admin.get("tools/1/history", params={"cursor": cursor, "limit": 5})).json()
        walked += [entry["version"] for entry in step["history"]]
        cursor = step["next_cursor"]
    assert walked == list(range(13, 0, -1))
    assert (await admin.get("tools/1/history?fields=id,version&page_size=1")).json()["history"] == [
        {"id": 13, "version": 13}
    ]
    problem(await admin.get("tools/1/history?sort=id"), 422)


@pytest.mark.databases("sqlite-memory")
async def test_a_failed_record_undoes_the_change(admin: httpx.AsyncClient, app: FastAPI) -> None:
    """S21: no change without its entry; both are of one transaction."""
    await new_tool(admin)
    async with app.state.database.engine.begin() as connection:
        await connection.execute(sa.schema.DropTable(HISTORY))
    assert (await admin.patch("tools/1", json={"price": 3})).status_code == 500
    assert (await admin.get("tools/1")).json()["version"] == 1
