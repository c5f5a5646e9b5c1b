"""ETag, If-Match, If-None-Match and the body's version, on every database and on both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Change, Database, Resource, Routes, Service, Settings, create_app
from tests.library import HOST, Book, Publisher, Shelf, client_of, library, new_book, new_publisher, places, problem

pytestmark = pytest.mark.anyio

MALFORMED = ["", ",", "3", '"3', "*, *", '*, "3"', '"3" "4"', 'w/"3"', "W/3", '"a b"', '"3";q=1', "'3'"]


class Slow(Service):
    """Sends every read and every change the ORM's way."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Look at nothing."""

    async def before_update(self, change: Change) -> None:
        """Change nothing."""

    async def before_delete(self, change: Change) -> None:
        """Change nothing."""


@pytest.fixture(params=[Service(), Slow()], ids=["compiled", "orm"])
async def client(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library, whose books go either way."""
    async with library(database_url, request.param) as client:
        yield client


@cache
def _strict_resources() -> Sequence[Resource]:
    routes = Routes(replace=True, precondition_required=True)
    return Resource(Book, routes=routes), Resource(Publisher, routes=routes)


@pytest.fixture
async def strict(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of books and publishers that are changed with a precondition only."""
    database = Database(database_url, metadata=Shelf.metadata)
    app = create_app(_strict_resources(), database=database, settings=Settings(env="test", _env_file=None))
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def change(client: httpx.AsyncClient, method: str, path: str, tag: str | None = None, **body: Any) -> int:
    """Send a change with If-Match and give the status."""
    headers = {} if tag is None else {"if-match": tag}
    sent = None if method == "DELETE" else {"title": "Persuasion", **body}
    answer = await client.request(method, path, json=sent, headers=headers)
    if answer.status_code >= 400:
        problem(answer, answer.status_code)
    return answer.status_code


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_the_tag_that_was_read_lets_a_change_through(client: httpx.AsyncClient, method: str) -> None:
    """S73: with the row's own ETag each of the changes is made."""
    book = await new_book(client)
    tag = (await client.get(f"books/{book['id']}")).headers["etag"]
    assert await change(client, method, f"books/{book['id']}", tag) in {200, 204}


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_a_stale_tag_is_refused(client: httpx.AsyncClient, method: str) -> None:
    """S73: with the ETag of an earlier version nothing is changed and the answer is 412."""
    book = await new_book(client)
    await client.patch(f"books/{book['id']}", json={"pages": 2})
    assert await change(client, method, f"books/{book['id']}", '"1"') == 412
    found = (await client.get(f"books/{book['id']}")).json()
    assert (found["title"], found["version"]) == ("Emma", 2)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_stale_version_in_the_body_is_refused(client: httpx.AsyncClient, method: str) -> None:
    """S73: 409 "Version conflict", and the right version goes through and is one more afterwards."""
    book = await new_book(client)
    path = f"books/{book['id']}"
    await client.patch(path, json={"pages": 2})
    answer = await client.request(method, path, json={"title": "Persuasion", "version": 1})
    document = problem(answer, 409)
    assert document["title"] == "Version conflict"
    assert document["detail"].startswith("Version conflict")
    answer = await client.request(method, path, json={"title": "Persuasion", "version": 2})
    assert (answer.status_code, answer.json()["version"], answer.headers["etag"]) == (200, 3, '"3"')


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_a_missing_row_comes_first(client: httpx.AsyncClient, method: str) -> None:
    """S49: whatever is demanded of it, a row that is not there is 404."""
    assert await change(client, method, "books/9", '"1"') == 404
    assert await change(client, method, "books/9", "*") == 404
    assert await change(client, method, "books/9", 'W/"1"') == 404
    if method != "DELETE":
        assert await change(client, method, "books/9", None, version=1) == 404


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("*", 200),
        ('"7", "1"', 200),
        (' ,"7",, "1" , ', 200),
        ('"7", "8"', 412),
        ('W/"1"', 412),
        ('"01"', 412),
        ('"one"', 412),
        ('""', 412),
        ('"99999999999999999999"', 412),
        ('"9999999999"', 412),
        ('"a,b", "1"', 200),
    ],
)
async def test_lists_of_tags_are_compared_strongly(client: httpx.AsyncClient, tag: str, status: int) -> None:
    """S73: RFC 9110 §13.1.1: any of the list will do, a weak one is like none, `*` is like whatever is there."""
    book = await new_book(client)
    assert await change(client, "PATCH", f"books/{book['id']}", tag) == status


@pytest.mark.parametrize("tag", MALFORMED)
@pytest.mark.databases("sqlite-memory")
async def test_what_is_no_list_of_tags_is_refused(client: httpx.AsyncClient, tag: str) -> None:
    """S73: a header that does not follow its grammar is 400, on reads and changes alike."""
    book = await new_book(client)
    assert await change(client, "PATCH", f"books/{book['id']}", tag) == 400
    assert await change(client, "DELETE", f"books/{book['id']}", tag) == 400
    for name in ("if-match", "if-none-match"):
        problem(await client.get(f"books/{book['id']}", headers={name: tag}), 400)


@pytest.mark.databases("sqlite-memory")
async def test_a_header_may_stand_twice(client: httpx.AsyncClient) -> None:
    """RFC 9110 §5.3: two lines of one list are one list."""
    book = await new_book(client)
    headers = [("if-match", '"7"'), ("if-match", '"1"')]
    assert (await client.patch(f"books/{book['id']}", json={"pages": 2}, headers=headers)).status_code == 200


async def test_both_demands_must_hold(client: httpx.AsyncClient) -> None:
    """S73: header and body together; the header is judged first (RFC 9110 §13.2.2)."""
    book = await new_book(client)
    path = f"books/{book['id']}"
    assert await change(client, "PATCH", path, '"2"', version=2) == 412
    assert await change(client, "PATCH", path, '"1"', version=2) == 409
    assert await change(client, "PATCH", path, '"2"', version=1) == 412
    assert await change(client, "PATCH", path, '"1"', version=1) == 200


async def test_a_change_of_nothing_is_held_to_its_demand(client: httpx.AsyncClient) -> None:
    """S13, S73: `{}` changes nothing, the version included, and still answers a stale demand by its refusal."""
    book = await new_book(client)
    path = f"books/{book['id']}"
    assert (await client.patch(path, json={}, headers={"if-match": '"1"'})).json() == book
    assert (await client.patch(path, json={"version": 1})).json() == book
    problem(await client.patch(path, json={}, headers={"if-match": '"2"'}), 412)
    problem(await client.patch(path, json={"version": 2}), 409)


@pytest.mark.parametrize("version", [None, "1", 1.5, True, 2**31, {"a": 1}])
@pytest.mark.databases("sqlite-memory")
async def test_a_version_must_be_a_whole_number(client: httpx.AsyncClient, version: Any) -> None:
    """S73: a version that is none is 422 at its place."""
    book = await new_book(client)
    answer = await client.patch(f"books/{book['id']}", json={"pages": 2, "version": version})
    assert places(answer, 422) == ["/version"]


@pytest.mark.databases("sqlite-memory")
async def test_a_version_can_be_demanded_but_not_set(client: httpx.AsyncClient) -> None:
    """S49: a new row has version 1, and a table without versions takes none in a body."""
    assert places(await client.post("books", json={"title": "Emma", "version": 5}), 422) == ["/version"]
    publisher = await new_publisher(client)
    answer = await client.patch(f"publishers/{publisher['id']}", json={"name": "Other", "version": 1})
    assert places(answer, 422) == ["/version"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_table_without_versions_goes_by_its_content(client: httpx.AsyncClient, method: str) -> None:
    """S73: where no version is kept, the tag of the content is compared under the row's lock."""
    publisher = await new_publisher(client)
    path = f"publishers/{publisher['id']}"
    stale = (await client.get(path)).headers["etag"]
    fresh = (await client.patch(path, json={"name": "Other"})).headers["etag"]
    body = {"name": "Third"} if method == "PATCH" else None
    problem(await client.request(method, path, json=body, headers={"if-match": stale}), 412)
    assert (await client.get(path)).headers["etag"] == fresh
    answer = await client.request(method, path, json=body, headers={"if-match": fresh})
    assert answer.status_code in {200, 204}
    missing = "publishers/00000000-0000-7000-8000-000000000000"
    problem(await client.request(method, missing, json=body, headers={"if-match": fresh}), 404)


async def test_a_read_of_what_the_client_has_is_not_modified(client: httpx.AsyncClient) -> None:
    """RFC 9110 §13.1.2: 304 without a body and with the tag, for a tag of the list, weak or not, and for `*`."""
    book = await new_book(client)
    path = f"books/{book['id']}"
    for tag in ('"1"', 'W/"1"', '"7", "1"', "*"):
        answer = await client.get(path, headers={"if-none-match": tag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')
        assert "content-type" not in answer.headers
    await client.patch(path, json={"pages": 2})
    answer = await client.get(path, headers={"if-none-match": '"1"'})
    assert (answer.status_code, answer.json()["pages"], answer.headers["etag"]) == (200, 2, '"2"')
    assert (await client.head(path, headers={"if-none-match": '"2"'})).status_code == 304
    problem(await client.get("books/9", headers={"if-none-match": "*"}), 404)


async def test_a_view_is_known_by_its_own_tag(client: httpx.AsyncClient) -> None:
    """RFC 9110 §13.1.2: a view has a weak tag, which is enough for a 304 and not for If-Match."""
    book = await new_book(client)
    path = f"books/{book['id']}?fields=id,title"
    tag = (await client.get(path)).headers["etag"]
    assert tag.startswith("W/")
    assert (await client.get(path, headers={"if-none-match": tag})).status_code == 304
    problem(await client.get(path, headers={"if-match": tag}), 412)
    assert await change(client, "PATCH", f"books/{book['id']}", tag) == 412


async def test_a_read_may_demand_too(client: httpx.AsyncClient) -> None:
    """RFC 9110 §13.1.1: If-Match holds on a GET as well."""
    book = await new_book(client)
    path = f"books/{book['id']}"
    assert (await client.get(path, headers={"if-match": '"1"'})).status_code == 200
    assert (await client.get(path, headers={"if-match": "*"})).status_code == 200
    problem(await client.get(path, headers={"if-match": '"2"'}), 412)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_a_change_may_exclude_what_is_there(client: httpx.AsyncClient, method: str) -> None:
    """RFC 9110 §13.1.2: on a change If-None-Match that matches is 412, `*` always."""
    book = await new_book(client)
    path = f"books/{book['id']}"
    body = None if method == "DELETE" else {"title": "Persuasion"}
    for tag in ("*", '"1"', 'W/"1"'):
        problem(await client.request(method, path, json=body, headers={"if-none-match": tag}), 412)
    answer = await client.request(method, path, json=body, headers={"if-none-match": '"2"'})
    assert answer.status_code in {200, 204}


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_a_resource_may_require_a_precondition(strict: httpx.AsyncClient, method: str) -> None:
    """RFC 6585 §3: 428 without one, 404 first, and header or version will do."""
    book = await new_book(strict)
    path = f"books/{book['id']}"
    assert await change(strict, method, path) == 428
    assert await change(strict, method, "books/9") == 404
    assert await change(strict, method, path, '"2"') == 412
    if method != "DELETE":
        assert await change(strict, method, path, version=1) == 200
    assert await change(strict, method, path, "*") in {200, 204}


@pytest.mark.databases("sqlite-memory")
async def test_openapi_tells_of_preconditions(strict: httpx.AsyncClient) -> None:
    """S50: the headers, the body's version and the refusals are declared."""
    document = (await strict.get(f"{HOST}/openapi.json")).json()
    row = document["paths"]["/api/v1/books/{id}"]
    headers = {method: [item["name"] for item in row[method]["parameters"] if item["in"] == "header"] for method in row}
    assert headers == {
        "get": ["If-None-Match", "If-Match"], "patch": ["If-Match"], "put": ["If-Match"], "delete": ["If-Match"],
    }  # fmt: skip
    assert {"412", "428"} <= row["patch"]["responses"].keys()
    assert "304" in row["get"]["responses"]
    schemas = document["components"]["schemas"]
    assert "version" in schemas["BookPatch"]["properties"]
    assert "version" in schemas["BookReplace"]["properties"]
    assert "version" not in schemas["PublisherUpdate"]["properties"]
