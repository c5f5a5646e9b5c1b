"""Lists: pages, counts, sorts and filters, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.library import library, new_book, new_publisher, problem

pytestmark = pytest.mark.anyio

TITLES = ["Emma", "emma", "100%", "1_0", "a,b", "a\\b", "Émile", "ÉMILE", " Emma", "Emma "]


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library with ten books; the one with number n has n pages, and every other a price."""
    async with library(database_url) as client:
        for number, title in enumerate(TITLES, 1):
            values = {"price": number / 4, "isbn": str(number)} if number % 2 else {}
            await new_book(client, title, pages=number, blurb=title, **values)
        yield client


async def ids(client: httpx.AsyncClient, query: str = "", **parameters: Any) -> list[int]:
    """List the ids of the books that a query finds."""
    answer = await client.get(f"books?{query}" if query else "books", params=parameters or None)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["books"]]


async def test_a_list_without_parameters_is_its_first_page(client: httpx.AsyncClient) -> None:
    """S7, S12: the rows under the plural name, with total, page and page size."""
    answer = (await client.get("books")).json()
    assert list(answer) == ["books", "total", "page", "page_size"]
    assert (len(answer["books"]), answer["total"], answer["page"], answer["page_size"]) == (10, 10, 1, 10)


async def test_pages_follow_each_other(client: httpx.AsyncClient) -> None:
    """S7, S23: pages cover all rows once, and the total is the same on each, behind the end too."""
    pages = [(await client.get("books", params={"page": number, "page_size": 4})).json() for number in (1, 2, 3, 4)]
    assert [[row["id"] for row in page["books"]] for page in pages] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10], []]
    assert [page["total"] for page in pages] == [10] * 4


@pytest.mark.parametrize("word", ["skip", "offset"])
async def test_rows_can_be_passed_over(client: httpx.AsyncClient, word: str) -> None:
    """S49, S79: `skip` and `limit`, with `offset` as another word, answered in their own words."""
    answer = (await client.get(f"books?{word}=8&limit=5")).json()
    assert [row["id"] for row in answer["books"]] == [9, 10]
    assert (answer["total"], answer["skip"], answer["limit"]) == (10, 8, 5)
    assert "page" not in answer


async def test_counting_can_be_left_out(client: httpx.AsyncClient) -> None:
    """`count=none` answers no total."""
    assert "total" not in (await client.get("books?count=none")).json()


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("sort=-pages", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("sort=price", [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]),
        ("sort=-price", [10, 8, 6, 4, 2, 9, 7, 5, 3, 1]),
        ("sort=price,-id", [1, 3, 5, 7, 9, 10, 8, 6, 4, 2]),
        ("sort=binding,-pages", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("sort_by=pages", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("sort_by=pages&order=asc", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("sort=title", [9, 3, 4, 1, 10, 5, 6, 2, 8, 7]),
    ],
)
async def test_rows_are_sorted(client: httpx.AsyncClient, sort: str, found: list[int]) -> None:
    """S81: by the fields that were asked for, NULL as the greatest, ties by the key."""
    assert await ids(client, sort) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"title": "Emma"}, [1]),
        ({"title__eq": "Emma "}, [10]),
        ({"title__ne": "Emma"}, [2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ({"title__contains": "%"}, [3]),
        ({"title__contains": "_"}, [4]),
        ({"title__contains": "\\"}, [6]),
        ({"title__contains": "mma"}, [1, 2, 9, 10]),
        ({"title__contains": "Emma"}, [1, 9, 10]),
        ({"title__icontains": "EMMA"}, [1, 2, 9, 10]),
        ({"title__icontains": "émil"}, [7, 8]),
        ({"title__startswith": "Emma"}, [1, 10]),
        ({"title__startswith": "Emma "}, [10]),
        ({"title__istartswith": "EM"}, [1, 2, 10]),
        ({"title__startswith": "1_"}, [4]),
        ({"title__endswith": "mma"}, [1, 2, 9]),
        ({"title__endswith": " Emma Emma"}, []),
        ({"title__contains": ""}, list(range(1, 11))),
        ({"title__in": "Emma,emma"}, [1, 2]),
        ({"title__in": "a\\,b,100%"}, [3, 5]),
        ({"title__in": "a\\\\b"}, [6]),
        ({"title__nin": "Emma,emma,100%,1_0,a\\,b"}, [6, 7, 8, 9, 10]),
        ({"title__gt": "a"}, [2, 5, 6, 7, 8]),
        ({"blurb": "100%"}, [3]),
        ({"pages__gte": "9"}, [9, 10]),
        ({"pages__lt": "3"}, [1, 2]),
        ({"pages__between": "4,6"}, [4, 5, 6]),
        ({"pages__between": "6,4"}, []),
        ({"pages__in": "1,1,5"}, [1, 5]),
        ({"price": "0.25"}, [1]),
        ({"price__lte": "0.75"}, [1, 3]),
        ({"price__ne": "0.25"}, [3, 5, 7, 9]),
        ({"price__nin": "0.25,0.75"}, [5, 7, 9]),
        ({"price__isnull": "true"}, [2, 4, 6, 8, 10]),
        ({"price__isnull": "0"}, [1, 3, 5, 7, 9]),
        ({"featured": "false"}, list(range(1, 11))),
        ({"featured": "true"}, []),
        ({"pages": "0"}, []),
        ({"binding": "hard cover"}, []),
        ({"binding__in": "hard cover,soft cover"}, list(range(1, 11))),
        ({"pages__gt": "2", "price__isnull": "false", "title__contains": "i"}, [7]),
        ({"pages__gt": "8", "pages__lte": "9"}, [9]),
    ],
    ids=str,
)
async def test_rows_are_filtered(client: httpx.AsyncClient, query: dict[str, str], found: list[int]) -> None:
    """S51, S80: each operator on its own kind, literally, with all conditions held at once; falsy values count."""
    assert await ids(client, **query) == found


async def test_the_total_is_of_the_same_filter(client: httpx.AsyncClient) -> None:
    """S23: the total counts what the filter lets through."""
    answer = (await client.get("books?pages__gt=3&page_size=2")).json()
    assert (len(answer["books"]), answer["total"]) == (2, 7)


async def test_a_reference_is_a_filter(client: httpx.AsyncClient) -> None:
    """A foreign key is filtered by like any other column."""
    publisher = await new_publisher(client)
    book = await new_book(client, "Theirs", publisher_id=publisher["id"])
    assert await ids(client, publisher_id=publisher["id"]) == [book["id"]]


@pytest.mark.parametrize(
    "value", ["' OR 1=1 --", '"; DROP TABLE books', "%s", ":id", "$1", "?", "{}", "%(id)s", "\U0001f600"]
)
async def test_values_are_never_sql(client: httpx.AsyncClient, value: str) -> None:
    """Whatever a value looks like, it is compared and stored as text."""
    book = await new_book(client, value)
    assert await ids(client, title=value) == [book["id"]]
    assert await ids(client, title__contains=value) == [book["id"]]


async def test_two_hundred_values_are_taken(client: httpx.AsyncClient) -> None:
    """S51: a comma list has up to 200 values."""
    assert await ids(client, pages__in=",".join(str(number) for number in range(200))) == list(range(1, 11))


async def test_hundreds_of_shapes_do_no_harm(client: httpx.AsyncClient) -> None:
    """More shapes of queries than plans are kept are answered all the same."""
    for number in range(1, 60):
        assert len(await ids(client, f"pages__in={','.join(['1'] * number)}&sort=-price&page_size=3")) == 1


@pytest.mark.databases("sqlite-memory")
async def test_a_refusal_takes_no_connection(client: httpx.AsyncClient) -> None:
    """An unknown field of a sort is refused by the same words as a hidden one."""
    texts = {
        problem(await client.get(f"books?sort={name}"), 422)["detail"].replace(name, "x")
        for name in ("nothing", "version", "copies", "description")
    }
    assert len(texts) == 1
