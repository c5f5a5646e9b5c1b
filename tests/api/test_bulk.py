"""Bulk create, change, delete and upsert, on every database and on both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Change, Listing, Resource, Routes, RuleError, Service
from tests.library import FIELDS, Book, library, new_book, new_publisher, places, problem

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


class Looking(Service):
    """Wants to see what is read, which sends everything the ORM and Pydantic way."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """See it."""


@pytest.fixture(params=[None, Looking()], ids=["compiled", "orm"])
async def client(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of the library, whose books go one way or the other."""
    service = request.param
    async with library(database_url, service) as client:
        yield client


async def books(client: Client, *titles: str, **values: Any) -> list[dict[str, Any]]:
    """Make books in one call."""
    answer = await client.post("books/bulk", json={"items": [{"title": title, **values} for title in titles]})
    assert answer.status_code == 201, answer.text
    rows: list[dict[str, Any]] = answer.json()["books"]
    return rows


async def total(client: Client) -> int:
    """Count the books."""
    found: int = (await client.get("books")).json()["total"]
    return found


async def test_many_rows_are_created_in_their_order(client: Client) -> None:
    """S52, S72: 201 with the rows in the order of the items, each as GET shows it, defaults included."""
    rows = await books(client, *(f"Book {number}" for number in range(25)))
    assert [row["title"] for row in rows] == [f"Book {number}" for number in range(25)]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    for row in (rows[0], rows[24]):
        assert (await client.get(f"books/{row['id']}")).json() == row
        assert (row["copies"], row["version"], row["pages"]) == (3, 1, 1)


async def test_items_need_not_name_the_same_fields(client: Client) -> None:
    """S52: a field that one item leaves out gets its default there, and a null that was sent is stored."""
    items = [
        {"title": "a", "copies": 9, "extra": [1, {"b": 2}]},
        {"title": "b", "price": 1.5, "extra": None, "released": "2026-01-31T12:00:00Z"},
        {"title": "c", "blurb": None, "binding": "hard cover", "opens": "12:30:00", "printed": "2026-01-31"},
    ]
    rows = (await client.post("books/bulk", json={"items": items})).json()["books"]
    assert [row["copies"] for row in rows] == [9, 3, 3]
    assert [row["extra"] for row in rows] == [[1, {"b": 2}], None, None]
    assert [row["price"] for row in rows] == [None, 1.5, None]
    assert [(await client.get(f"books/{row['id']}")).json() for row in rows] == rows


async def test_a_thousand_rows_are_taken_and_no_more(client: Client) -> None:
    """S52: at most 1,000 items, and at least one."""
    await books(client, *(["Emma"] * 1000))
    assert await total(client) == 1000
    assert places(await client.post("books/bulk", json={"items": [{"title": "a"}] * 1001}), 422) == ["/items"]
    assert places(await client.post("books/bulk", json={"items": []}), 422) == ["/items"]


async def test_every_item_that_does_not_fit_is_named(client: Client) -> None:
    """S52, S76: the pointers lead to the items, and nothing is stored."""
    items = [{"title": "a"}, {"title": "b", "price": "x"}, {"title": "c", "unknown": 1}, 5]
    answer = await client.post("books/bulk", json={"items": items})
    assert places(answer, 422) == ["/items/1/price", "/items/2/unknown", "/items/3"]
    assert await total(client) == 0


async def test_the_item_that_the_database_refuses_is_named(client: Client) -> None:
    """S52, S76: a unique value, a missing reference, a CHECK: told by the item's place, and nothing is stored."""
    isbn = [{"title": "a", "isbn": "1"}, {"title": "b"}, {"title": "c", "isbn": "1"}]
    assert places(await client.post("books/bulk", json={"items": isbn}), 409) == ["/items/2/isbn"]
    nobody = "00000000-0000-7000-8000-000000000000"
    reference = [{"title": "a"}, {"title": "b", "publisher_id": nobody}]
    assert places(await client.post("books/bulk", json={"items": reference}), 409) == ["/items/1/publisher_id"]
    unlucky = [{"title": "a"}, {"title": "b", "pages": 13}]
    assert places(await client.post("books/bulk", json={"items": unlucky}), 422)[0].startswith("/items/1")
    assert await total(client) == 0


@pytest.mark.parametrize("where", ["body", "query"])
async def test_each_item_by_itself(client: Client, where: str) -> None:
    """S52: `atomic=false` makes what can be made, and answers 207 with one result per item."""
    items = [{"title": "a", "isbn": "1"}, {"title": 5}, {"title": "c", "isbn": "1"}, {"title": "d"}]
    body = {"items": items, "atomic": False} if where == "body" else {"items": items}
    answer = await client.post(f"books/bulk{'?atomic=false' if where == 'query' else ''}", json=body)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [(one["index"], one["status"]) for one in results] == [(0, 201), (1, 422), (2, 409), (3, 201)]
    assert results[2]["body"]["errors"][0]["pointer"] == "/items/2/isbn"
    assert results[1]["body"]["errors"][0]["pointer"] == "/items/1/title"
    assert results[3]["body"] == (await client.get(f"books/{results[3]['body']['id']}")).json()
    assert await total(client) == 2


async def test_many_rows_are_changed_alike(client: Client) -> None:
    """S52, S72: ids and set: 200 with how many, and the rows in the order of the ids; no other row changes."""
    ids = [row["id"] for row in await books(client, "a", "b", "c", "d")]
    chosen = [ids[2], ids[0], ids[3]]
    answer = await client.patch("books/bulk", json={"ids": chosen, "set": {"pages": 7}})
    found = answer.json()
    assert (answer.status_code, found["affected"]) == (200, 3)
    assert [(row["id"], row["pages"], row["version"]) for row in found["books"]] == [(id, 7, 2) for id in chosen]
    assert [(await client.get(f"books/{id}")).json() for id in chosen] == found["books"]
    assert (await client.get(f"books/{ids[1]}")).json()["version"] == 1


async def test_many_rows_are_changed_each_in_its_way(client: Client) -> None:
    """S72: items with their ids, each with what it changes; an item that changes nothing leaves the version."""
    ids = [row["id"] for row in await books(client, "a", "b", "c")]
    items = [{"id": ids[1], "title": "B"}, {"id": ids[0], "pages": 5, "blurb": None}, {"id": ids[2]}]
    found = (await client.patch("books/bulk", json={"items": items})).json()
    assert [(row["title"], row["pages"], row["version"]) for row in found["books"]] == [
        ("B", 1, 2), ("a", 5, 2), ("c", 1, 1),
    ]  # fmt: skip


async def test_a_row_that_is_not_there_stops_all(client: Client) -> None:
    """S52, S76: an id of no row is 404 with its place, whatever the form, and nothing is changed."""
    row = (await books(client, "a"))[0]
    for body, place in (
        ({"ids": [row["id"], 999], "set": {"pages": 7}}, "/ids/1"),
        ({"items": [{"id": row["id"], "pages": 7}, {"id": 999, "pages": 7}]}, "/items/1"),
        ({"items": [{"id": row["id"], "pages": 7}, {"id": 999}]}, "/items/1"),
    ):
        assert places(await client.patch("books/bulk", json=body), 404) == [place]
    assert places(await client.post("books/bulk-delete", json={"ids": [row["id"], 999]}), 404) == ["/ids/1"]
    assert (await client.get(f"books/{row['id']}")).json() == row


async def test_a_stale_version_stops_all(client: Client) -> None:
    """S73: an item's version must still be the row's: 409 with the item's place, nothing changed; else it goes up."""
    first, second = await books(client, "a", "b")
    items = [{"id": first["id"], "version": 1, "pages": 2}, {"id": second["id"], "version": 7, "pages": 2}]
    answer = await client.patch("books/bulk", json={"items": items})
    assert [place.rpartition("/version")[0] or place for place in places(answer, 409)] == ["/items/1"]
    assert (await client.get(f"books/{first['id']}")).json() == first
    items[1]["version"] = 1
    changed = (await client.patch("books/bulk", json={"items": items})).json()["books"]
    assert [row["version"] for row in changed] == [2, 2]
    again = (await client.patch("books/bulk", json={"items": items, "atomic": False})).json()["results"]
    assert [one["status"] for one in again] == [409, 409]


async def test_what_a_filter_finds_is_changed(client: Client) -> None:
    """S52: the list's own filters; how many were changed, and the rows."""
    await books(client, "a", "b", price=5)
    await books(client, "c", "d, e", price=7.25)
    body = {"filter": {"price__gte": 6, "title__in": ["c", "d, e", "a"]}, "max_affected": 2, "set": {"pages": 9}}
    found = (await client.patch("books/bulk", json=body)).json()
    assert (found["affected"], [row["title"] for row in found["books"]]) == (2, ["c", "d, e"])
    assert (await client.get("books?pages=9")).json()["total"] == 2
    nothing = {"filter": {"featured": True}, "max_affected": 2, "set": {"pages": 9}}
    assert (await client.patch("books/bulk", json=nothing)).json() == {"affected": 0, "books": []}


@pytest.mark.databases("sqlite-memory")
async def test_what_a_filter_finds_is_changed_by_id(database_url: str) -> None:
    """S52: in the order of the ids, in which rows are locked elsewhere too, and not in the one that lists have."""
    shelf = Resource(Book, listing=Listing(filters=["pages"], sorts=["title"], default_sort="-title"))
    async with library(database_url, resources=[shelf]) as client:
        await books(client, "a", "c", "b")
        body = {"filter": {"pages": 1}, "max_affected": 3, "set": {"pages": 9}}
        found = (await client.patch("books/bulk", json=body)).json()["books"]
        assert [row["title"] for row in found] == ["a", "c", "b"]


async def test_a_filter_that_finds_too_much_changes_nothing(client: Client) -> None:
    """S52: more than `max_affected` is 409, and every row stays."""
    await books(client, "a", "b", "c")
    body = {"filter": {"pages": 1}, "max_affected": 2}
    assert places(await client.patch("books/bulk", json={**body, "set": {"pages": 9}}), 409) == ["/max_affected"]
    assert places(await client.post("books/bulk-delete", json=body), 409) == ["/max_affected"]
    assert (await client.get("books?pages=1")).json()["total"] == 3


async def test_many_rows_are_deleted(client: Client) -> None:
    """S52: by ids or by filter: 200 with how many."""
    ids = [row["id"] for row in await books(client, "a", "b", "c", "d")]
    answer = await client.post("books/bulk-delete", json={"ids": ids[:2]})
    assert (answer.status_code, answer.json()) == (200, {"affected": 2})
    answer = await client.post("books/bulk-delete", json={"filter": {"title": "c"}, "max_affected": 1})
    assert (answer.status_code, answer.json()) == (200, {"affected": 1})
    assert [row["id"] for row in (await client.get("books")).json()["books"]] == ids[3:]
    singly = (await client.post("books/bulk-delete", json={"ids": ids[2:], "atomic": False})).json()["results"]
    assert [one["status"] for one in singly] == [404, 204]


@pytest.mark.parametrize(
    ("method", "path", "body", "place"),
    [
        ("PATCH", "books/bulk", {"ids": [1]}, None),
        ("PATCH", "books/bulk", {"ids": [1], "items": [{"id": 1}]}, None),
        ("PATCH", "books/bulk", {"filter": {"pages": 1}, "set": {"pages": 2}}, None),
        ("PATCH", "books/bulk", {"ids": [1, True], "set": {"pages": 2}}, "/ids/1"),
        ("PATCH", "books/bulk", {"ids": [1, 1], "set": {"pages": 2}}, "/ids/1"),
        ("PATCH", "books/bulk", {"ids": [0], "set": {"pages": 2}}, "/ids/0"),
        ("PATCH", "books/bulk", {"ids": [1], "set": {"pages": "x"}}, "/set/pages"),
        ("PATCH", "books/bulk", {"ids": [1], "set": {"version": 2}}, "/set/version"),
        ("PATCH", "books/bulk", {"items": [{"pages": 1}]}, "/items/0/id"),
        ("PATCH", "books/bulk", {"items": [{"id": 1, "version": "1"}]}, "/items/0/version"),
        ("PATCH", "books/bulk", {"filter": {"sold": 1}, "max_affected": 1, "set": {}}, "/filter/sold"),
        ("PATCH", "books/bulk", {"filter": {"pages": "x"}, "max_affected": 1, "set": {}}, "/filter/pages"),
        ("PATCH", "books/bulk", {"filter": {"page": 1}, "max_affected": 1, "set": {}}, "/filter/page"),
        ("PATCH", "books/bulk", {"filter": {"price": None}, "max_affected": 1, "set": {}}, "/filter/price"),
        ("POST", "books/bulk-delete", {"filter": {}, "max_affected": 1}, "/filter"),
        ("POST", "books/bulk-delete", {"filter": {"title__in": []}, "max_affected": 1}, "/filter/title__in"),
        ("POST", "books/bulk-delete", {"filter": {"title": ["a", "b"]}, "max_affected": 1}, "/filter/title"),
        ("POST", "books/bulk-delete", {"filter": {"title": 5}, "max_affected": 1}, "/filter/title"),
        ("POST", "books/bulk-delete", {"filter": {"or": [{"title": 5}]}, "max_affected": 1}, "/filter/or/0/title"),
        ("PATCH", "books/bulk", {"filter": {}, "max_affected": 1001, "set": {}}, "/max_affected"),
        ("POST", "books/bulk-delete", {"filter": {}}, None),
        ("POST", "books/bulk-delete", {"ids": []}, "/ids"),
        ("POST", "books/bulk?atomic=maybe", {"items": [{"title": "a"}]}, "atomic"),
        ("POST", "books/bulk?page=1", {"items": [{"title": "a"}]}, "page"),
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_a_body_that_does_not_fit_is_told(
    client: Client, method: str, path: str, body: dict[str, Any], place: str | None
) -> None:
    """S52, S76: 422 with the place of what is wrong."""
    assert places(await client.request(method, path, json=body), 422) == [place]


class Ruling(Service):
    """Notes its hooks, and refuses one title."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def before_create(self, change: Change) -> None:
        """Refuse, or note."""
        if change.values["title"] == "forbidden":
            raise RuleError("Not this one.")
        self.seen.append(f"create {change.values['title']}")

    async def before_update(self, change: Change) -> None:
        """Note."""
        self.seen.append(f"update {change.row.title}")

    async def after_delete(self, change: Change) -> None:
        """Note."""
        self.seen.append(f"delete {change.row.title}")

    async def after_commit(self, change: Change) -> None:
        """Note."""
        self.seen.append("commit")


async def test_hooks_run_for_each_item(database_url: str) -> None:
    """S52, S77: a service's hooks see every single change, and its `after_commit` comes once all are stored."""
    service = Ruling()
    async with library(database_url, service) as client:
        ids = [row["id"] for row in await books(client, "a", "b")]
        assert service.seen == ["create a", "create b", "commit", "commit"]
        service.seen.clear()
        await client.patch("books/bulk", json={"ids": ids, "set": {"pages": 3}})
        await client.post("books/bulk-delete", json={"ids": ids})
        assert service.seen == ["update a", "update b", "commit", "commit", "delete a", "delete b", "commit", "commit"]


async def test_a_hook_that_refuses_one_item_stops_all(database_url: str) -> None:
    """S76: the refusal names the item, nothing is stored, and no `after_commit` is called."""
    service = Ruling()
    async with library(database_url, service) as client:
        items = [{"title": "a"}, {"title": "forbidden"}]
        answer = await client.post("books/bulk", json={"items": items})
        assert (places(answer, 422), problem(answer, 422)["detail"]) == (["/items/1"], "Not this one.")
        assert await total(client) == 0
        assert "commit" not in service.seen
        results = (await client.post("books/bulk?atomic=false", json={"items": items})).json()["results"]
        assert [one["status"] for one in results] == [201, 422]
        assert service.seen.count("commit") == 1


async def test_rows_with_text_keys_have_their_bulk_too(client: Client) -> None:
    """S52: a UUID key is made for each new row, and names it afterwards."""
    made = (await client.post("publishers/bulk", json={"items": [{"name": "a"}, {"name": "b"}]})).json()["publishers"]
    ids = [row["id"] for row in made]
    changed = await client.patch("publishers/bulk", json={"items": [{"id": ids[1], "name": "c"}]})
    assert changed.json()["publishers"] == [{"id": ids[1], "name": "c"}]
    assert (await client.post("publishers/bulk-delete", json={"ids": ids})).json() == {"affected": 2}
    assert places(await client.post("publishers/bulk-delete", json={"ids": ["x"]}), 422) == ["/ids/0"]


async def test_a_row_that_others_refer_to_stops_a_bulk_delete(client: Client) -> None:
    """S52: 409 with the place of its id, and nothing is deleted."""
    free, used = await new_publisher(client, "a"), await new_publisher(client, "b")
    await new_book(client, publisher_id=used["id"])
    answer = await client.post("publishers/bulk-delete", json={"ids": [free["id"], used["id"]]})
    assert places(answer, 409) == ["/ids/1"]
    assert (await client.get("publishers")).json()["total"] == 2


@pytest.fixture(params=[None, Looking()], ids=["compiled", "orm"])
async def upserting(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of books that are upserted by their ISBN."""
    books = Resource(
        Book,
        listing=Listing(filters=FIELDS),
        service=request.param,
        routes=Routes(upsert=("isbn",)),
    )
    async with library(database_url, resources=[books]) as client:
        yield client


async def test_an_upsert_changes_what_is_there_and_creates_the_rest(upserting: Client) -> None:
    """S52: rows are found by the declared unique key; only what was sent changes in those that are there."""
    await books(upserting, "a", isbn="1", pages=5)
    items = [{"isbn": "2", "title": "b"}, {"isbn": "1", "title": "A"}]
    answer = await upserting.put("books/bulk", json={"items": items})
    found = answer.json()
    assert (answer.status_code, found["affected"]) == (200, 2)
    assert [(row["isbn"], row["title"], row["pages"], row["version"]) for row in found["books"]] == [
        ("2", "b", 1, 1), ("1", "A", 5, 2),
    ]  # fmt: skip
    assert await total(upserting) == 2


async def test_an_upsert_names_a_key_that_stands_twice(upserting: Client) -> None:
    """S52: two items of one key are 422, since they can't both be right."""
    items = [{"isbn": "2", "title": "b"}, {"isbn": "2", "title": "c"}]
    assert places(await upserting.put("books/bulk", json={"items": items}), 422) == ["/items/1/isbn"]
