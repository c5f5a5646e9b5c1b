"""POST, PATCH, PUT and DELETE, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.library import HOST, library, new_book, new_publisher, places, problem

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library."""
    async with library(database_url) as client:
        yield client


async def test_a_new_row_is_answered_with_its_place_and_tag(client: httpx.AsyncClient) -> None:
    """S49: 201 with Location and ETag, and both lead to the same row."""
    answer = await client.post("books", json={"title": "Emma"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/books/{answer.json()['id']}"
    again = await client.get(f"{HOST}{answer.headers['location']}")
    assert (again.status_code, again.json()) == (200, answer.json())
    assert answer.headers["etag"] == again.headers["etag"] == '"1"'


async def test_defaults_are_in_the_answer(client: httpx.AsyncClient) -> None:
    """S50: what the database, the columns and the clock add is shown, and the rest is null."""
    book = await new_book(client)
    shown = {
        key: book[key] for key in ("id", "version", "pages", "copies", "sold", "binding", "featured", "price", "blurb")
    }
    assert shown == {
        "id": 1, "version": 1, "pages": 1, "copies": 3, "sold": 0, "binding": "soft cover", "featured": False,
        "price": None, "blurb": None,
    }  # fmt: skip
    created = datetime.fromisoformat(book["created_at"])
    assert book["created_at"].endswith("Z")
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    assert "description" not in book


async def test_an_id_is_given_once(client: httpx.AsyncClient) -> None:
    """The id of a deleted row is nobody's again, on any database, the last row's neither."""
    first, second = await new_book(client, "a"), await new_book(client, "b")
    assert (await client.delete(f"books/{second['id']}")).status_code == 204
    assert (await new_book(client, "c"))["id"] == second["id"] + 1
    assert (await client.delete(f"books/{first['id']}")).status_code == 204


async def test_a_uuid_key_is_made(client: httpx.AsyncClient) -> None:
    """Rows with a UUID get one of version 7, in the dashed form, and are found by it."""
    publisher = await new_publisher(client)
    assert (len(publisher["id"]), publisher["id"][14]) == (36, "7")
    assert (await client.get(f"publishers/{publisher['id'].upper()}")).json() == publisher


async def test_null_is_not_the_same_as_nothing(client: httpx.AsyncClient) -> None:
    """A null that was sent is stored, a field that was not sent gets its default."""
    assert (await new_book(client, reprint=None, extra=None))["reprint"] is None
    assert (await client.get("books?extra__isnull=true")).json()["total"] == 1
    assert places(await client.post("books", json={"title": "a", "copies": None}), 422) == ["/copies"]


async def test_a_patch_changes_what_was_sent(client: httpx.AsyncClient) -> None:
    """S13: only the fields that were sent change; version and time go up with them."""
    book = await new_book(client, price=1.5, blurb="Old")
    answer = await client.patch(f"books/{book['id']}", json={"price": None, "blurb": "New"})
    changed = answer.json()
    assert {key for key in book if changed[key] != book[key]} == {"price", "blurb", "version", "updated_at"}
    assert (changed["price"], changed["blurb"], changed["version"], answer.headers["etag"]) == (None, "New", 2, '"2"')
    assert (await client.get(f"books/{book['id']}")).json() == changed


async def test_a_merge_patch_says_so(client: httpx.AsyncClient) -> None:
    """RFC 7396's own media type is taken."""
    book = await new_book(client)
    headers = {"content-type": "application/merge-patch+json; charset=utf-8"}
    answer = await client.patch(f"books/{book['id']}", content=b'{"pages": 7}', headers=headers)
    assert (answer.status_code, answer.json()["pages"]) == (200, 7)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "Application/JSON ; Charset=UTF-8"},
        {"content-type": 'application/json;charset="utf-8"'},
        {"content-type": "application/json;v=1"},
        {"content-type": "application/json", "content-encoding": "identity"},
    ],
)
@pytest.mark.databases("sqlite-memory")
async def test_json_may_be_said_in_other_words(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Case, blanks and parameters of a media type do not matter (RFC 9110 §8.3.1), and no coding is one."""
    assert (await client.post("books", content=b'{"title": "b"}', headers=headers)).status_code == 201


async def test_the_same_value_is_a_change(client: httpx.AsyncClient) -> None:
    """A PATCH with the value that is there is found and answered, though MariaDB counts no changed row."""
    publisher = await new_publisher(client)
    answer = await client.patch(f"publishers/{publisher['id']}", json={"name": publisher["name"]})
    assert (answer.status_code, answer.json()) == (200, publisher)
    book = await new_book(client)
    assert (await client.patch(f"books/{book['id']}", json={"title": "Emma"})).json()["version"] == 2


async def test_a_row_without_version_has_a_tag_too(client: httpx.AsyncClient) -> None:
    """The tag of a row that counts no changes follows its content."""
    publisher = await new_publisher(client)
    first = (await client.get(f"publishers/{publisher['id']}")).headers["etag"]
    second = (await client.patch(f"publishers/{publisher['id']}", json={"name": "Other"})).headers["etag"]
    assert first != second
    assert (await client.get(f"publishers/{publisher['id']}")).headers["etag"] == second


async def test_a_put_replaces(client: httpx.AsyncClient) -> None:
    """PUT sets what the client may set, and gives back their defaults to what it does not name."""
    book = await new_book(client, pages=7, price=1.5, binding="hard cover", blurb="Old")
    answer = await client.put(f"books/{book['id']}", json={"title": "Persuasion"})
    found = answer.json()
    assert answer.status_code == 200
    assert [found[key] for key in ("title", "pages", "price", "binding", "blurb")] == [
        "Persuasion", 1, None, "soft cover", None,
    ]  # fmt: skip
    assert (found["id"], found["version"], found["created_at"]) == (book["id"], 2, book["created_at"])


async def test_a_put_gives_the_databases_own_default_back(client: httpx.AsyncClient) -> None:
    """A default that only the database knows is one all the same."""
    book = await new_book(client, copies=9)
    assert (await client.put(f"books/{book['id']}", json={"title": "Emma"})).json()["copies"] == 3


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_a_row_that_is_not_there_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    """S49: 404 with a clear text, whatever the method."""
    body: dict[str, Any] | None = {"title": "a"} if method in {"PATCH", "PUT"} else None
    answer = await client.request(method, "books/999", json=body)
    assert problem(answer, 404)["detail"] == "Book 999 not found."


async def test_a_deleted_row_is_gone(client: httpx.AsyncClient) -> None:
    """S35: 204 with no body, then 404."""
    book = await new_book(client)
    answer = await client.delete(f"books/{book['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    problem(await client.delete(f"books/{book['id']}"), 404)


async def test_decimals_are_exact_numbers(client: httpx.AsyncClient) -> None:
    """C19: a price is written as the number that it is, with its two digits, whether it came as number or text."""
    for sent in ("0.1", '"0.10"', "1e-1", "0.100"):
        answer = await client.post(
            "books", content=f'{{"title": "a", "price": {sent}}}', headers={"content-type": "application/json"}
        )
        assert b'"price":0.10,' in answer.content, (sent, answer.content)


async def test_times_are_kept_in_utc(client: httpx.AsyncClient) -> None:
    """C19: an instant in any zone comes back as the same instant in UTC."""
    book = await new_book(client, released="2026-01-01T01:30:00.120000+05:30")
    assert book["released"] == "2025-12-31T20:00:00.120000Z"
    assert (await client.get(f"books/{book['id']}")).json()["released"] == book["released"]
    found = (await client.get("books?released=2025-12-31T21:00:00.12%2B01:00")).json()
    assert found["total"] == 1


async def test_head_and_options_work(client: httpx.AsyncClient) -> None:
    """HEAD is GET without its body, OPTIONS tells the methods."""
    book = await new_book(client)
    answer = await client.head(f"books/{book['id']}")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", '"1"')
    assert (await client.options("books/1")).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
