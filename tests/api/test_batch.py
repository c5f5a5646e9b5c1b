"""`POST /batch`: several operations in one transaction, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Depends

from colonnade import Change, Database, Resource, Routes, RuleError, Service
from tests.api.test_bulk import Looking
from tests.library import Book, Publisher, Shelf, library, new_book, new_publisher, places, problem
from tests.shop import line, new_product, new_user

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient
Json = dict[str, Any]


@pytest.fixture(params=[None, Looking()], ids=["compiled", "orm"])
async def client(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of the library, whose books go one way or the other."""
    service = request.param
    async with library(database_url, service) as client:
        yield client


def do(id: str, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
    """Give one operation."""
    return {"id": id, "method": method, "path": f"/api/v1/{path}", "body": body, "headers": headers}


async def batch(client: Client, *operations: Json, **more: Any) -> httpx.Response:
    """Ask for a batch."""
    return await client.post("batch", json={"operations": operations, **more})


async def total(client: Client, what: str = "books") -> int:
    """Count rows."""
    found: int = (await client.get(what)).json()["total"]
    return found


async def test_operations_are_done_in_their_order(client: Client) -> None:
    """S75, batch: 200 with status, headers and body of each, as the single requests have them."""
    book = await new_book(client, "old")
    answer = await batch(
        client,
        do("a", "POST", "books", {"title": "new"}),
        do("b", "PATCH", f"books/{book['id']}", {"pages": 7}),
        do("c", "PUT", f"books/{book['id']}", {"title": "put"}),
        do("d", "DELETE", f"books/{book['id']}"),
        do("e", "POST", "publishers", {"name": "p"}),
    )
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [(one["id"], one["status"]) for one in results] == [
        ("a", 201), ("b", 200), ("c", 200), ("d", 204), ("e", 201),
    ]  # fmt: skip
    assert [one["body"] and one["body"].get("version") for one in results] == [1, 2, 3, None, None]
    found = await client.get(results[0]["headers"]["location"].removeprefix("/api/v1/"))
    assert (found.json(), found.headers["etag"]) == (results[0]["body"], results[0]["headers"]["etag"])
    assert (await total(client), await total(client, "publishers")) == (1, 1)


async def test_a_hundred_operations_are_one_transaction(client: Client) -> None:
    """S75, batch: as many as there may be, all of them stored, or none where the last one is refused."""
    operations = [do(str(number), "POST", "books", {"title": f"Book {number}"}) for number in range(99)]
    last = do("last", "POST", "books", {"title": "Book 0", "pages": 13})
    assert problem(await batch(client, *operations, last), 422)["id"] == "last"
    assert await total(client) == 0
    answer = await batch(client, *operations, do("last", "PATCH", "books/{0.id}", {"pages": 7}))
    assert [result["status"] for result in answer.json()["results"]] == [201] * 99 + [200]
    assert await total(client) == 99


async def test_a_later_operation_refers_to_an_earlier_one(client: Client) -> None:
    """S75, batch: `{"$ref": "p.id"}` in a body and `{b.id}` in a path stand for what was answered."""
    answer = await batch(
        client,
        do("p", "POST", "publishers", {"name": "p"}),
        do("b", "POST", "books", {"title": "a", "publisher_id": {"$ref": "p.id"}}),
        do("c", "PATCH", "books/{b.id}", {"extra": {"of": [{"$ref": "b.title"}]}}),
    )
    results = answer.json()["results"]
    assert results[1]["body"]["publisher_id"] == results[0]["body"]["id"]
    assert (results[2]["body"]["id"], results[2]["body"]["extra"]) == (results[1]["body"]["id"], {"of": ["a"]})


async def test_a_failing_operation_rolls_all_back(client: Client) -> None:
    """S76, batch: its own status, its id and its place in the problem, and nothing is stored."""
    await new_publisher(client, "taken")
    for failing, status, place in (
        (do("x", "POST", "publishers", {"name": "taken"}), 409, "/operations/1/body/name"),
        (do("x", "POST", "books", {"title": 5}), 422, "/operations/1/body/title"),
        (do("x", "PATCH", "books/999", {"title": "a"}), 404, None),
    ):
        answer = await batch(client, do("a", "POST", "books", {"title": "a"}), failing)
        document = problem(answer, status)
        assert document["id"] == "x"
        assert [fault["pointer"] for fault in document.get("errors", [])] == ([place] if place else [])
        assert await total(client) == 0


async def test_a_precondition_holds_in_a_batch(client: Client) -> None:
    """S73, batch: an operation's own `If-Match` counts, and sees what earlier operations did."""
    book = await new_book(client)
    steps = (
        do("a", "PATCH", f"books/{book['id']}", {"pages": 2}, **{"If-Match": '"1"'}),
        do("b", "PATCH", f"books/{book['id']}", {"pages": 3}, **{"if-match": '"2"'}),
    )
    assert (await batch(client, *steps)).json()["results"][1]["body"]["version"] == 3
    assert problem(await batch(client, *steps), 412)["id"] == "a"


async def test_a_dry_run_stores_nothing(client: Client) -> None:
    """Conventions, batch: `dry_run` answers what would have happened, and rolls back."""
    steps = (do("p", "POST", "publishers", {"name": "p"}), do("b", "POST", "books", {"title": "a"}))
    answer = await batch(client, *steps, dry_run=True)
    assert [one["status"] for one in answer.json()["results"]] == [201, 201]
    assert (await total(client), await total(client, "publishers")) == (0, 0)
    assert problem(await batch(client, *steps, do("x", "DELETE", "books/999"), dry_run=True), 404)["id"] == "x"


async def test_bulk_changes_are_operations_too(client: Client) -> None:
    """Conventions, batch: a bulk route in a batch is a part of its transaction, also where it answers in parts."""
    taken = {"items": [{"title": "a", "isbn": "1"}, {"title": "b", "isbn": "1"}, {"title": "c"}], "atomic": False}
    answer = await batch(
        client,
        do("a", "POST", "books/bulk", {"items": [{"title": "x"}, {"title": "y"}]}),
        do("b", "POST", "books/bulk", taken),
    )
    results = answer.json()["results"]
    assert [one["status"] for one in results[1]["body"]["results"]] == [201, 409, 201]
    assert await total(client) == 4
    whole = {**taken, "atomic": True}
    failed = await batch(client, do("a", "POST", "books", {"title": "z"}), do("b", "POST", "books/bulk", whole))
    assert places(failed, 409) == ["/operations/1/body/items/0/isbn"]
    assert await total(client) == 4


@pytest.mark.parametrize(
    ("operations", "place"),
    [
        ([], "/operations"),
        ([do(str(number), "DELETE", "books/1") for number in range(101)], "/operations"),
        ([do("a", "GET", "books")], "/operations/0/method"),
        ([do("a", "POST", "books", {"title": "a"})] * 2, "/operations/1/id"),
        ([do("a b", "POST", "books", {"title": "a"})], "/operations/0/id"),
        ([do("a", "POST", "nowhere", {})], "/operations/0/path"),
        ([do("a", "POST", "batch", {"operations": []})], "/operations/0/path"),
        ([do("a", "POST", "books", {"title": {"$ref": "b.title"}})], "/operations/0/body/title"),
        ([do("a", "POST", "books", {"title": {"$ref": "a.title"}})], "/operations/0/body/title"),
        ([do("a", "PATCH", "books/{b.id}", {})], "/operations/0/path"),
        ([do("a", "POST", "books", {"title": "a"}, **{"Idempotency-Key": "k"})], "/operations/0/headers"),
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_a_batch_that_does_not_fit_is_told(client: Client, operations: list[Json], place: str) -> None:
    """Conventions, batch: 422 with the place of what is wrong, and nothing is stored."""
    assert places(await batch(client, *operations), 422) == [place]
    assert await total(client) == 0


class Noting(Service):
    """Notes its hooks, and refuses one title."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def after_create(self, change: Change) -> None:
        """Note, or refuse."""
        self.seen.append(f"create {change.values['title']}")
        if change.values["title"] == "forbidden":
            raise RuleError("Not this one.")

    async def after_commit(self, change: Change) -> None:
        """Note."""
        self.seen.append(f"commit {change.values['title']}")


async def test_each_operation_is_under_its_own_hooks(database_url: str) -> None:
    """S77, batch: hooks run for each operation, the last ones once all is stored, and none of them for a dry run."""
    service = Noting()
    async with library(database_url, service) as client:
        steps = [do(title, "POST", "books", {"title": title}) for title in ("a", "b")]
        await batch(client, *steps)
        assert service.seen == ["create a", "create b", "commit a", "commit b"]
        service.seen.clear()
        await batch(client, *steps, dry_run=True)
        assert problem(await batch(client, *steps, do("x", "POST", "books", {"title": "forbidden"})), 422)["id"] == "x"
        assert [note for note in service.seen if note.startswith("commit")] == []
        assert await total(client) == 2


@pytest.mark.databases("sqlite-memory")
async def test_a_guarded_route_is_no_operation(database_url: str) -> None:
    """Conventions, batch: what a dependency of the user's stands before can't be reached around it."""

    def refuse() -> None:
        raise AssertionError("not asked")

    guarded = Resource(Publisher, routes=Routes(dependencies=[Depends(refuse)]))
    async with library(database_url, resources=[Resource(Book), guarded]) as client:
        answer = await batch(client, do("a", "POST", "publishers", {"name": "a"}))
        assert places(answer, 422) == ["/operations/0/path"]


async def test_a_batch_with_a_key_is_done_once(database_url: str) -> None:
    """Conventions, Idempotency-Key: a batch is a POST as well."""
    database = Database(database_url, metadata=Shelf.metadata)
    resources = [Resource(Book, routes=Routes(idempotent=True)), Resource(Publisher)]
    async with library(database_url, None, database, resources) as client:
        body = {"operations": [do("a", "POST", "books", {"title": "a"}), do("b", "POST", "books", {"title": "b"})]}
        answers = [await client.post("batch", json=body, headers={"idempotency-key": "k"}) for _ in range(2)]
        assert (answers[0].status_code, answers[0].content) == (200, answers[1].content)
        assert await total(client) == 2


async def test_a_shop_takes_a_whole_order_in_a_batch(shop: Client) -> None:
    """S75, batch: a product and an order of it, with the stock taken, in one transaction; or neither."""
    await new_user(shop)
    lamp = await new_product(shop, quantity=5)
    product = do("product", "POST", "products", {"name": "Desk", "price": 99.5, "quantity": 3})
    order = {"user_id": 1, "lines": [line(lamp, 2), {"product_id": {"$ref": "product.id"}, "quantity": 3}]}
    answer = await batch(shop, product, do("order", "POST", "orders", order))
    assert answer.status_code == 200, answer.text
    placed = answer.json()["results"][1]["body"]
    assert ([one["quantity"] for one in placed["lines"]], placed["total"]) == ([2, 3], 338.3)
    assert (await shop.get(f"products/{lamp['id']}")).json()["quantity"] == 3
    too_much = {"user_id": 1, "lines": [line(lamp, 4)]}
    assert problem(await batch(shop, product, do("order", "POST", "orders", too_much)), 409)["id"] == "order"
    assert await total(shop, "products") == 2


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("where", ["body", "path"])
async def test_references_stand_for_no_more_than_a_body_may_hold(client: Client, where: str) -> None:
    """Batch: a few bytes refer to a large answer again and again; that is refused before it is written out."""
    titles = [{"title": "x" * 20}] * 100
    again = do("b", "POST", "books", {"title": "b", "extra": {"all": [{"$ref": "a.books"}] * 1000}})
    if where == "path":
        again = do("b", "PATCH", "books/" + "{a.books}" * 180, {"pages": 1})
    answer = await batch(client, do("a", "POST", "books/bulk", {"items": titles}), again)
    refused = problem(answer, 413)
    assert (refused["code"], refused["id"]) == ("CLN120", "b")
    assert refused["errors"][0]["pointer"].startswith(f"/operations/1/{where}")
    assert await total(client) == 0
