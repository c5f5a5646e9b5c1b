"""Walks by cursor: every row that was there once, whatever the order and whoever writes meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Database, Listing, Resource, Routes, Service, Settings, create_app
from colonnade.core.sealing import Seal, UnsealableError
from tests.library import FIELDS, HOST, Book, Publisher, Shelf, client_of, library, new_book, new_publisher, problem

pytestmark = pytest.mark.anyio


class Idle(Service):
    """Wants to see the rows, so that they are read by the ORM, and leaves them as they are."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Do nothing."""


@pytest.fixture(params=[Service(), Idle()], ids=["compiled", "orm"])
def service(request: pytest.FixtureRequest) -> Service:
    """Choose the way."""
    return request.param  # type: ignore[no-any-return]


ROWS: list[dict[str, Any]] = [
    {
        "title": title,
        "pages": number % 3,
        "price": None if number % 4 == 0 else round((number % 5) / 100 + 12345.67, 2),
        "weight": None if number % 3 == 0 else (number % 4) / 3,
        "released": None
        if number % 5 == 0
        else datetime(2026, 1, 1, microsecond=number % 2 + 1, tzinfo=UTC).isoformat(),
        "printed": None if number % 2 else "2026-01-31",
        "opens": None if number % 4 == 1 else f"12:30:00.00{number % 3}",
        "binding": "hard cover" if number % 2 else "soft cover",
        "featured": number % 3 == 0,
        "blurb": None if number % 3 == 1 else title[:2],
    }
    for number, title in enumerate(
        ["Emma", "emma", "100%", "Émile", "a,b", 'a"b', "ß", "\U0001f600", " Emma", "Emma ", "z"]
    )
]


@pytest.fixture
async def client(database_url: str, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library with eleven books: ties and NULLs in nearly every column."""
    async with library(database_url, service) as client:
        publisher = await new_publisher(client)
        for number, row in enumerate(ROWS):
            await new_book(client, publisher_id=publisher["id"] if number % 2 else None, **row)
        yield client


async def walk(client: httpx.AsyncClient, query: str, path: str = "books") -> list[int]:
    """Walk through a list to its end and give the ids in their order."""
    ids: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get(f"{path}?{query}&cursor={cursor}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert list(body) == [path, "has_more", "next_cursor"]
        assert body["has_more"] == (body["next_cursor"] is not None)
        ids += [row["id"] for row in body[path]]
        cursor = body["next_cursor"]
    return ids


SORTS = [
    *[f"{sign}{field}" for field in [*FIELDS, "id"] for sign in ("", "-") if field != "isbn"],
    "pages,price",
    "-pages,-title",
    "pages,-price,released",
    "-price,binding,-weight",
    "featured,-id",
    "binding,pages",
    "blurb,-opens",
]


async def test_a_walk_is_the_list(client: httpx.AsyncClient) -> None:
    """S81: in any order, with ties and NULLs, ascending and descending, the steps of a walk put together are the list."""
    for sort in SORTS:
        whole = [row["id"] for row in (await client.get(f"books?sort={sort}&limit=100")).json()["books"]]
        assert len(whole) == len(ROWS)
        for limit in (1, 4, 11):
            assert await walk(client, f"sort={sort}&limit={limit}") == whole, sort


async def test_a_walk_goes_through_what_the_filter_lets_through(client: httpx.AsyncClient) -> None:
    """S80: filters hold at every step, and so do the other words of the order."""
    wanted = [row["id"] for row in (await client.get("books?pages__gte=1&sort_by=price&limit=100")).json()["books"]]
    assert await walk(client, "pages__gte=1&sort_by=price&order=desc&limit=2") == wanted
    assert len(wanted) == 7


async def test_a_walk_ends_without_a_cursor(client: httpx.AsyncClient) -> None:
    """AIP-158: the last step says that there is no more, also where it is full; a list without rows is one step."""
    last = (await client.get("books?cursor=&limit=11")).json()
    assert (last["has_more"], last["next_cursor"], len(last["books"])) == (False, None, 11)
    assert (await client.get("books?cursor=&title=none")).json() == {
        "books": [],
        "has_more": False,
        "next_cursor": None,
    }


async def test_a_walk_counts_when_it_is_asked_to(client: httpx.AsyncClient) -> None:
    """S23: no total in a walk unless `count=exact` is said; then of all rows, at any step."""
    first = (await client.get("books?cursor=&limit=4&count=exact")).json()
    assert first["total"] == 11
    assert (await client.get(f"books?cursor={first['next_cursor']}&limit=10&count=exact")).json()["total"] == 11


async def test_a_view_goes_along_a_walk(client: httpx.AsyncClient) -> None:
    """S53: what is shown of a row does not have to be what it is sorted by, and may change on the way."""
    first = (await client.get("books?cursor=&limit=4&sort=-price&fields=title")).json()
    assert list(first["books"][0]) == ["title"]
    then = (await client.get(f"books?cursor={first['next_cursor']}&limit=7&sort=-price&fields=id")).json()
    whole = (await client.get("books?sort=-price&limit=100")).json()["books"]
    assert [row["id"] for row in then["books"]] == [row["id"] for row in whole[4:]]


async def _cursor(client: httpx.AsyncClient, query: str = "limit=2", path: str = "books") -> str:
    cursor: str = (await client.get(f"{path}?cursor=&{query}")).json()["next_cursor"]
    return cursor


async def test_a_cursor_belongs_to_its_list(client: httpx.AsyncClient) -> None:
    """S80, S81: with another filter or order than its own a cursor is refused: 400."""
    cursor = await _cursor(client, "limit=2&sort=title&pages__gte=1")
    for query in ("", "sort=title", "pages__gte=1", "sort=-title&pages__gte=1", "sort=title&pages__gte=2"):
        assert problem(await client.get(f"books?cursor={cursor}&{query}"), 400)["code"] == "CLN100"


async def test_the_sequence_of_parameters_does_not_matter(client: httpx.AsyncClient) -> None:
    """A filter's conditions hold all at once, in whatever sequence they are written."""
    cursor = await _cursor(client, "limit=2&pages__gte=0&price__isnull=false")
    answer = await client.get(f"books?price__isnull=false&limit=3&pages__gte=0&cursor={cursor}")
    assert answer.status_code == 200


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("cut", ["x", "=", "é", "%00", "A" * 22, "A" * 400])
async def test_a_broken_cursor_is_refused(client: httpx.AsyncClient, cut: str) -> None:
    """What is no cursor, or was one before somebody changed it, is 400."""
    cursor = await _cursor(client)
    for broken in (cut, cursor + cut, cursor[:-2] + cut, cut + cursor[len(cut) :]):
        problem(await client.get(f"books?cursor={broken}"), 400)


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("query", ["page=1", "page_size=2", "skip=0", "offset=1", "skip=0&limit=2"])
async def test_a_walk_is_no_page(client: httpx.AsyncClient, query: str) -> None:
    """Two ways of paging at once are 400."""
    problem(await client.get(f"books?cursor=&{query}"), 400)


@pytest.mark.databases("sqlite-memory")
async def test_a_cursor_shows_nothing(client: httpx.AsyncClient) -> None:
    """Neither the values of the row nor the table can be read from a cursor."""
    cursor = await _cursor(client, "sort=title&limit=3")
    assert cursor.isascii()
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    with pytest.raises(UnsealableError):
        Seal(b"another key").open(cursor, b"")


async def test_a_walk_of_a_part_belongs_to_its_owner(database_url: str, service: Service) -> None:
    """S33: a cursor of one row's part is none of another row's."""
    books = Resource(Book, listing=Listing(sorts=["title"]), service=service)
    publishers = Resource(Publisher, routes=Routes(parts={"books": (books, "publisher_id")}))
    database = Database(database_url, metadata=Shelf.metadata)
    app = create_app([books, publishers], database=database, settings=Settings(env="test", _env_file=None))
    async with app.router.lifespan_context(app), client_of(app) as client:
        ours, theirs = await new_publisher(client, "ours"), await new_publisher(client, "theirs")
        for title in "abcde":
            await new_book(client, title, publisher_id=ours["id"])
        first = (await client.get(f"publishers/{ours['id']}/books?cursor=&limit=2")).json()
        then = await client.get(f"publishers/{ours['id']}/books?cursor={first['next_cursor']}")
        assert [row["title"] for row in then.json()["books"]] == ["c", "d", "e"]
        problem(await client.get(f"publishers/{theirs['id']}/books?cursor={first['next_cursor']}"), 400)
        problem(await client.get(f"books?cursor={first['next_cursor']}"), 400)


async def test_a_walk_meets_each_row_once_while_others_write(client: httpx.AsyncClient) -> None:
    """S23: twenty writers insert and delete around a walk: each row that was there all the time is met exactly once."""
    there = {row["id"] for row in (await client.get("books?limit=100")).json()["books"]}
    done = asyncio.Event()

    async def write(number: int) -> None:
        chance = random.Random(number)
        count = 0
        while not done.is_set() and count < 20:
            count += 1
            values = {"pages": chance.randrange(4), "price": chance.choice([None, 12345.68, 1])}
            book = await new_book(client, f"{number}.{count}", **values)
            if chance.random() < 0.5:
                await client.delete(f"books/{book['id']}")
            await asyncio.sleep(0)

    writers = [asyncio.create_task(write(number)) for number in range(20)]
    for sort in ("-price", "price", "pages,title", "-pages,price", "-released", "released"):
        met = await walk(client, f"sort={sort}&limit=3")
        assert len(met) == len(set(met))
        assert there <= set(met)
    done.set()
    await asyncio.gather(*writers)


async def test_links_lead_through_a_walk(client: httpx.AsyncClient) -> None:
    """RFC 8288: a walk can be gone by its links alone; the beginning is linked to at each step, the end nowhere."""
    ids, path = [], "/api/v1/books?cursor=&limit=4&sort=-title&fields=id"
    while path:
        answer = await client.get(f"{HOST}{path}")
        ids += [row["id"] for row in answer.json()["books"]]
        assert set(answer.links) <= {"first", "next"}
        path = answer.links.get("next", {}).get("url", "")
    assert ids == [row["id"] for row in (await client.get("books?sort=-title&limit=100")).json()["books"]]


def _query(link: dict[str, str]) -> dict[str, list[str]]:
    return parse_qs(urlsplit(link["url"]).query)


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"first": 1, "next": 2, "last": 2}),
        ("page=2&page_size=4", {"first": 1, "prev": 1, "next": 3, "last": 3}),
        ("page=3&page_size=4", {"first": 1, "prev": 2, "last": 3}),
        ("page=9&page_size=4", {"first": 1, "prev": 3, "last": 3}),
        ("page=2&page_size=4&count=none", {"first": 1, "prev": 1, "next": 3}),
        ("page=3&page_size=4&count=none", {"first": 1, "prev": 2}),
        ("title=none", {"first": 1, "last": 1}),
    ],
)
async def test_links_lead_to_the_other_pages(client: httpx.AsyncClient, query: str, wanted: dict[str, int]) -> None:
    """RFC 8288: first, prev, next and last, where they are known to be there."""
    links = (await client.get(f"books?{query}")).links
    assert {relation: int(_query(link)["page"][0]) for relation, link in links.items()} == wanted


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("skip=0&limit=4", {"first": 0, "next": 4, "last": 8}),
        ("skip=3&limit=4", {"first": 0, "prev": 0, "next": 7, "last": 7}),
        ("offset=7&limit=4", {"first": 0, "prev": 3, "last": 7}),
        ("skip=7&limit=4&count=none", {"first": 0, "prev": 3, "next": 11}),
        ("skip=100000&limit=1&count=none", {"first": 0, "prev": 99999}),
        ("skip=500&limit=5", {"first": 0, "prev": 10, "last": 10}),
    ],
)
async def test_links_lead_to_other_offsets(client: httpx.AsyncClient, query: str, wanted: dict[str, int]) -> None:
    """RFC 8288, S79: the same for rows passed over."""
    links = (await client.get(f"books?{query}")).links
    assert {relation: int(_query(link)["skip"][0]) for relation, link in links.items()} == wanted


@pytest.mark.databases("sqlite-memory")
async def test_links_keep_the_question_and_name_no_host(client: httpx.AsyncClient) -> None:
    """A link has the client's own filters and order in it, escaped, and nothing that `Host` says."""
    query = "title__ne=%3E%3B%20%22a%22&p%61ge=1&sort=-pages&page_size=2&title__contains=<m>"
    answer = await client.get(f"books?{query}", headers={"host": "evil.example"})
    link = answer.headers["link"]
    assert link.startswith("</api/v1/books?title__ne=%3E%3B%20%22a%22&sort=-pages&title__contains=%3Cm%3E&page=1&")
    assert "evil" not in link
    assert "p%61ge" not in link
    assert (await client.get("books?sort=-title&page_size=2")).links["next"]["url"].count("sort=-title") == 1
