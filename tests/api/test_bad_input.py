"""What no client should send: every one is a problem document with the right status, and nothing is half written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.library import library, new_book, new_publisher, places, problem

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library for what is refused before any database is asked; at the end it still answers."""
    async with library("sqlite://") as client:
        yield client
        answer = await client.get("books?count=exact")
        assert (answer.status_code, answer.json()["total"]) == (200, 0)


@pytest.fixture
async def everywhere(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library on each database."""
    async with library(database_url) as client:
        yield client


@pytest.fixture
async def book(client: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """A book that no refused request may change."""
    book = await new_book(client, isbn="1")
    yield book
    assert (await client.get(f"books/{book['id']}")).json() == book
    assert (await client.get("books")).json()["total"] == 1
    await client.delete(f"books/{book['id']}")


IDS = [
    "0",
    "-1",
    str(1 << 63),
    "9" * 400,
    "1.0",
    "+1",
    "01",
    "1e0",
    "%2B1",
    "%201",
    "1%20",
    "1_0",
    "0x1",
    "%00",
    "1%00",
    quote("١"),
    quote("１"),
    "%FF",
    "null",
    "true",
    "1" * 8_000,
]


@pytest.mark.parametrize("raw", IDS, ids=lambda raw: str(raw[:12]))
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_an_id_is_a_whole_number_from_1(client: httpx.AsyncClient, method: str, raw: str) -> None:
    """S8: anything else is 422, whatever the method."""
    body = b'{"title": "a"}' if method in {"PATCH", "PUT"} else None
    assert places(await client.request(method, f"books/{raw}", content=body, headers=JSON), 422) == ["id"]


@pytest.mark.parametrize("raw", ["1", "x" * 36, "{00000000-0000-0000-0000-000000000001}", "0" * 32, "%00"])
async def test_a_uuid_is_written_as_one(everywhere: httpx.AsyncClient, raw: str) -> None:
    """A key that is a UUID takes the canonical form only."""
    assert places(await everywhere.get(f"publishers/{raw}"), 422) == ["id"]


@pytest.mark.parametrize("raw", ["00000000-0000-0000-0000-000000000000", "920ba950-a4f9-fcd1-3f20-c72a4a3ed854"])
async def test_a_uuid_of_any_version_is_not_found(everywhere: httpx.AsyncClient, raw: str) -> None:
    """A UUID that MariaDB would not store is the id of no row."""
    problem(await everywhere.get(f"publishers/{raw}"), 404)
    problem(await everywhere.delete(f"publishers/{raw}"), 404)
    assert (await everywhere.get(f"books?publisher_id={raw}")).json()["books"] == []
    answer = await everywhere.post("books", json={"title": "a", "publisher_id": raw})
    assert answer.status_code in {409, 422}


MALFORMED_QUERIES = [
    "title=%FF",
    "%C3=1",
    "title=%ED%A0%80",
    "page=1&skip=0",
    "page_size=5&limit=5",
    "skip=1&offset=1",
    "sort=title&sort_by=title",
    "&".join(f"a{number}=1" for number in range(200)),
]
UNFIT_QUERIES = {
    "page=0": ["page"],
    "page=-1": ["page"],
    "page=1.0": ["page"],
    "page=%2B1": ["page"],
    "page=": ["page"],
    f"page={10**18}": ["page"],
    f"page={'9' * 400}": ["page"],
    "page=10002": ["page"],
    "page_size=0": ["page_size"],
    "page_size=101": ["page_size"],
    "skip=-1": ["skip"],
    "skip=100001": ["skip"],
    "limit=0": ["limit"],
    "limit=101": ["limit"],
    "count=yes": ["count"],
    "sort=secret": ["sort"],
    "sort=": ["sort"],
    "sort=title,title": ["sort"],
    "sort=--title": ["sort"],
    "sort_by=title;drop": ["sort_by"],
    "sort_by=title&order=up": ["order"],
    "unknown=1": ["unknown"],
    "Title=a": ["Title"],
    "title__like=a": ["title__like"],
    "extra__eq=a": ["extra__eq"],
    "title=a&title=b": ["title"],
    "page=1&page=1": ["page"],
    "title=%00": ["title"],
    "%00=1": ["\0"],
    "pages=1.5": ["pages"],
    "pages=true": ["pages"],
    "pages=%D9%A1": ["pages"],
    f"pages={1 << 31}": ["pages"],
    f"pages__gt={'9' * 5000}": ["pages__gt"],
    "price=1e5": ["price"],
    "price=NaN": ["price"],
    "price=0.001": ["price"],
    "price=123456789": ["price"],
    "weight=Infinity": ["weight"],
    "weight=1e999": ["weight"],
    "printed=20260101": ["printed"],
    "printed=2026-W05": ["printed"],
    "printed=2026-02-30": ["printed"],
    "printed=2026-01-01T00:00:00Z": ["printed"],
    "opens=12:00:00Z": ["opens"],
    "opens=12": ["opens"],
    "opens=25:00": ["opens"],
    "released=2026-01-01": ["released"],
    "released=2026-01-01T00:00:00": ["released"],
    "released=0001-01-01T00:00:00%2B05:00": ["released"],
    "released=now": ["released"],
    "binding=leather": ["binding"],
    "featured=yes": ["featured"],
    "pages__in=": ["pages__in"],
    "pages__in=1,,2": ["pages__in"],
    f"pages__in={','.join(map(str, range(201)))}": ["pages__in"],
    "pages__between=1": ["pages__between"],
    "pages__between=1,2,3": ["pages__between"],
    "isbn__isnull=maybe": ["isbn__isnull"],
}


@pytest.mark.parametrize("query", MALFORMED_QUERIES, ids=lambda query: str(query[:24]))
async def test_a_query_that_can_not_be_read_is_malformed(client: httpx.AsyncClient, query: str) -> None:
    """Bad UTF-8, two paging modes at once, two words for one thing, hundreds of parameters: 400."""
    assert problem(await client.get(f"books?{query}"), 400)["code"] == "CLN100"


@pytest.mark.parametrize(("query", "named"), UNFIT_QUERIES.items(), ids=[query[:24] for query in UNFIT_QUERIES])
async def test_a_parameter_that_does_not_fit_is_named(client: httpx.AsyncClient, query: str, named: list[str]) -> None:
    """S79: unknown, repeated, out of range, of another kind: 422 and its name."""
    assert places(await client.get(f"books?{query}"), 422) == named


async def test_a_text_longer_than_its_column_finds_nothing(everywhere: httpx.AsyncClient) -> None:
    """A filter may ask for what can't be there."""
    assert (await everywhere.get(f"books?title={'x' * 3000}&isbn__contains={'y' * 500}")).json()["total"] == 0


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_write_takes_no_parameters(client: httpx.AsyncClient, book: dict[str, Any], method: str) -> None:
    """An unknown parameter of a write is refused, not passed over."""
    path = "books" if method == "POST" else f"books/{book['id']}"
    body = None if method == "DELETE" else {"title": "Changed"}
    assert places(await client.request(method, f"{path}?dry=1", json=body), 422) == ["dry"]


MALFORMED_BODIES = [
    b"",
    b"title=Emma",
    b'{"title": "Emma"',
    b'{"title": "Emma",}',
    b"{'title': 'Emma'}",
    b'{"title": "\xff"}',
    b'{"title": "\xed\xa0\x80"}',
    b'{"title": NaN}',
    b'{"weight": Infinity, "title": "a"}',
    b'{"title": "a", "title": "b"}',
    b'{"title": "a", "extra": {"b": 1, "b": 2}}',
    b"[" * 100_000 + b"]" * 100_000,
    b'{"title": "a", "extra": ' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"title": "a", "extra": ' + b"[" * 900 + b'"\\ud800"' + b"]" * 900 + b"}",
    b'\xef\xbb\xbf{"title": "a"}',
    '{"title": "a"}'.encode("utf-16"),
]


@pytest.mark.parametrize("body", MALFORMED_BODIES, ids=lambda body: repr(body[:24]))
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
async def test_a_body_that_is_not_json_is_malformed(
    client: httpx.AsyncClient, book: dict[str, Any], method: str, body: bytes
) -> None:
    """What can't be parsed is 400."""
    path = "books" if method == "POST" else f"books/{book['id']}"
    assert problem(await client.request(method, path, content=body, headers=JSON), 400)["code"] == "CLN101"


@pytest.mark.parametrize(
    "media",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "application/xml",
        "application/json-patch+json",
        "application/vnd.api+json",
        "application/jsonp",
        "application/json; charset=iso-8859-1",
        'application/json;charset="utf-16"',
    ],
)
async def test_a_body_says_that_it_is_json(client: httpx.AsyncClient, book: dict[str, Any], media: str | None) -> None:
    """A form, or a body that does not say what it is: 415."""
    headers = {} if media is None else {"content-type": media}
    posted = await client.post("books", content=b'{"title": "a"}', headers=headers)
    problem(posted, 415)
    assert posted.headers["accept"] == "application/json"
    patched = await client.patch(f"books/{book['id']}", content=b'{"title": "a"}', headers=headers)
    problem(patched, 415)
    assert patched.headers["accept-patch"] == "application/merge-patch+json, application/json"


async def test_a_merge_patch_creates_nothing(client: httpx.AsyncClient) -> None:
    """RFC 7396: a merge patch is a change of something, so POST does not take it."""
    headers = {"content-type": "application/merge-patch+json"}
    problem(await client.post("books", content=b'{"title": "c"}', headers=headers), 415)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip", "aes128gcm"])
async def test_a_coded_body_is_not_decoded(client: httpx.AsyncClient, coding: str) -> None:
    """A compressed body is 415, and the answer says which coding is taken (RFC 9110 §15.5.16)."""
    headers = {"content-type": "application/json", "content-encoding": coding}
    answer = await client.post("books", content=b'{"title": "a"}', headers=headers)
    problem(answer, 415)
    assert answer.headers["accept-encoding"] == "identity"


async def test_a_body_of_20_megabytes_is_too_large(client: httpx.AsyncClient) -> None:
    """A body above 1 MiB is 413, whether its length is told or not."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * (1 << 20)

    problem(await client.post("books", content=b" " * (20 << 20), headers=JSON), 413)
    problem(await client.post("books", content=pieces(), headers=JSON), 413)


UNFIT_VALUES: list[tuple[str, str]] = [
    ("title", "null"),
    ("title", "1"),
    ("title", "true"),
    ("title", '["a"]'),
    ("title", '"' + "x" * 21 + '"'),
    ("title", '"' + "😀" * 21 + '"'),
    ("title", '"a\\u0000b"'),
    ("title", '"\\ud800"'),
    ("isbn", '"12345678901234"'),
    ("pages", "null"),
    ("pages", "true"),
    ("pages", '"5"'),
    ("pages", "1.5"),
    ("pages", "1e999999"),
    ("pages", "1e99999999"),
    ("pages", "-1e99999999"),
    ("pages", str(1 << 31)),
    ("pages", "9" * 5000),
    ("pages", "[1]"),
    ("copies", "40000"),
    ("sold", str(1 << 63)),
    ("price", "0.001"),
    ("price", "123456789.00"),
    ("price", "1e99999999"),
    ("price", "1e-99999999"),
    ("price", "9" * 5000),
    ("price", "0." + "1" * 5000),
    ("price", "true"),
    ("price", '"NaN"'),
    ("price", '"Infinity"'),
    ("weight", "1e999"),
    ("weight", "true"),
    ("weight", '"heavy"'),
    ("weight", '"1.5"'),
    ("printed", '"2026-02-30"'),
    ("printed", "5"),
    ("printed", '"2026-01-01T10:00:00Z"'),
    ("opens", '"25:00"'),
    ("opens", "5"),
    ("opens", '"12:00:00+02:00"'),
    ("released", '"2026-01-01T00:00:00"'),
    ("released", "1700000000"),
    ("released", '"0001-01-01T00:00:00+05:00"'),
    ("released", '"9999-12-31T23:59:59-05:00"'),
    ("released", '"9999-12-31T23:59:59.999999Z"'),
    ("binding", '"leather"'),
    ("binding", '"HARD"'),
    ("binding", "null"),
    ("featured", "1"),
    ("featured", '"yes"'),
    ("extra", '{"deep": 1e999}'),
    ("extra", '{"deep": [0.12345678901234567890123]}'),
    ("extra", "99999999999999999999"),
    ("extra", '{"a": "\\u0000"}'),
    ("extra", '{"\\u0000": 1}'),
    ("publisher_id", '"1"'),
    ("publisher_id", "1"),
    ("id", "5"),
    ("version", '"5"'),
    ("created_at", '"2026-01-01T00:00:00Z"'),
    ("updated_at", "null"),
    ("description", '"by its name in the database"'),
    ("unknown", "1"),
    ("__class__", "1"),
    ("", "1"),
]


@pytest.mark.parametrize(("key", "text"), UNFIT_VALUES, ids=[f"{key}={text[:20]}" for key, text in UNFIT_VALUES])
async def test_a_value_that_does_not_fit_is_named(
    client: httpx.AsyncClient, book: dict[str, Any], key: str, text: str
) -> None:
    """S9, S48: too long, too large, of another kind, null, the server's own, unknown: 422 on every database."""
    body = f'{{"isbn": "2", {json.dumps(key)}: {text}}}' if key != "isbn" else f'{{"isbn": {text}}}'
    found = await client.patch(f"books/{book['id']}", content=body, headers=JSON)
    assert problem(found, 422)["errors"]
    title = "" if key == "title" else '"title": "a", '
    problem(await client.post("books", content=f"{{{title}{body[1:]}", headers=JSON), 422)
    problem(await client.put(f"books/{book['id']}", content=f"{{{title}{body[1:]}", headers=JSON), 422)


@pytest.mark.parametrize("body", ["[]", '"a"', "1", "null", "true", '[{"title": "a"}]', "{}"])
async def test_a_new_row_is_an_object_with_what_it_needs(client: httpx.AsyncClient, body: str) -> None:
    """Anything but an object, and an object without a required field: 422."""
    problem(await client.post("books", content=body, headers=JSON), 422)


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("books", {"title": 1, "pages": "x"}, "The body does not fit: /title, /pages."),
        ("books", dict.fromkeys("abcde", 1), " and others."),
        ("books/bulk", {"items": [{"title": 1}]}, "Some items do not fit: /items/0/"),
        ("books", {"b" * 500: 1}, f"/{'b' * 99}"),
    ],
)
async def test_the_detail_says_where(client: httpx.AsyncClient, path: str, body: dict[str, Any], told: str) -> None:
    """S17: who reads no further than the sentence knows which field it is; `errors` has all of them."""
    document = problem(await client.post(path, json=body), 422)
    assert told in document["detail"]
    assert len(document["detail"]) < 400


async def test_an_empty_patch_changes_nothing(everywhere: httpx.AsyncClient) -> None:
    """S13: `{}` is 200 with the row as it is, its version and its times included; on no row it is 404."""
    book = await new_book(everywhere)
    answer = await everywhere.patch(f"books/{book['id']}", json={})
    assert (answer.status_code, answer.json()) == (200, book)
    problem(await everywhere.patch(f"books/{book['id'] + 1}", json={}), 404)


async def test_values_at_their_bounds_are_stored_as_they_are(everywhere: httpx.AsyncClient) -> None:
    """What just fits is stored and read back unchanged on every database."""
    publisher = await new_publisher(everywhere)
    values: dict[str, Any] = {
        "title": "😀" * 20,
        "pages": (1 << 31) - 1,
        "copies": -(1 << 15),
        "sold": (1 << 63) - 1,
        "price": -99999999.99,
        "weight": 1.7976931348623157e308,
        "printed": "9999-12-31",
        "opens": "00:00:00.010000",
        "released": "9999-12-31T23:59:59.999998Z",
        "binding": "hard cover",
        "extra": {"": [None, True, 1e20, 5e-324, -(1 << 63), {"a.b/c~": "\u2028\u0001\ufffd"}]},
        "blurb": "x" * 60_000,
        "publisher_id": publisher["id"],
    }
    book = await new_book(everywhere, **values)
    assert {key: book[key] for key in values} == values
    assert (await everywhere.get(f"books/{book['id']}")).json() == book
    await everywhere.delete(f"books/{book['id']}")


@pytest.mark.parametrize("path", ["books/", "books/1/", "Books", "books/1/2", "books//1", "nothing", "books/1%2F2"])
async def test_a_path_that_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    """C23: 404, never a redirect."""
    answer = await client.get(path, headers={"host": "evil.test"})
    assert answer.status_code in {404, 422}
    assert "location" not in answer.headers
    problem(answer, answer.status_code)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "books"), ("DELETE", "books"), ("POST", "books/1"), ("TRACE", "books")]
)
async def test_a_method_that_is_not_there_tells_those_that_are(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    """405 with `Allow`."""
    answer = await client.request(method, path)
    problem(answer, 405)
    assert "GET" in answer.headers["allow"]
