"""What a database refuses, told to the client: the drivers' real errors, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from colonnade import Change, Database, Service
from colonnade.core.errors import CheckError, ForeignKeyError, RequiredError, UniqueError
from tests.library import Book, Publisher, Shelf, library, new_book, new_publisher, places, problem

pytestmark = pytest.mark.anyio


class Hooked(Service):
    """Sends every write the way of a session."""

    async def before_create(self, change: Change) -> None:
        """Look on."""

    async def before_update(self, change: Change) -> None:
        """Look on."""

    async def before_delete(self, change: Change) -> None:
        """Look on."""


@pytest.fixture(params=["planned", "by session"])
async def client(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library, whose books are written by one planned statement, or by a session with hooks."""
    async with library(database_url, Hooked() if request.param == "by session" else None) as client:
        yield client


async def test_a_taken_value_is_a_conflict_that_names_the_field(client: httpx.AsyncClient) -> None:
    """S14: the second row with a unique value is refused with 409, and the field is told."""
    await new_book(client, isbn="1")
    answer = await client.post("books", json={"title": "Other", "isbn": "1"})
    assert (problem(answer, 409)["code"], places(answer, 409)) == ("CLN410", ["/isbn"])
    other = await new_book(client, "Other", isbn="2")
    assert places(await client.patch(f"books/{other['id']}", json={"isbn": "1"}), 409) == ["/isbn"]
    assert (await client.get(f"books/{other['id']}")).json() == other


async def test_a_taken_pair_names_both_fields(client: httpx.AsyncClient) -> None:
    """A unique constraint over two columns names both, by the names that the wire has."""
    publisher = await new_publisher(client)
    await new_book(client, "Emma", publisher_id=publisher["id"])
    answer = await client.post("books", json={"title": "Emma", "publisher_id": publisher["id"]})
    assert sorted(places(answer, 409)) == ["/publisher_id", "/title"]


async def test_a_reference_to_nothing_names_the_field(client: httpx.AsyncClient) -> None:
    """A foreign key without its row is 409 and names the field."""
    answer = await client.post("books", json={"title": "Emma", "publisher_id": str(uuid4())})
    assert (problem(answer, 409)["code"], places(answer, 409)) == ("CLN411", ["/publisher_id"])
    book = await new_book(client)
    answer = await client.patch(f"books/{book['id']}", json={"publisher_id": str(uuid4())})
    assert places(answer, 409) == ["/publisher_id"]


async def test_a_row_that_is_referred_to_stays(client: httpx.AsyncClient) -> None:
    """Deleting what others refer to is 409, and nothing is gone."""
    publisher = await new_publisher(client)
    await new_book(client, publisher_id=publisher["id"])
    answer = await client.delete(f"publishers/{publisher['id']}")
    assert problem(answer, 409)["code"] == "CLN411"
    assert "refer" in answer.json()["detail"]
    assert (await client.get(f"publishers/{publisher['id']}")).status_code == 200


async def test_a_check_does_not_fit(client: httpx.AsyncClient) -> None:
    """A CHECK constraint is 422, and leaks neither SQL nor the constraint's text."""
    answer = await client.post("books", json={"title": "Emma", "pages": 13})
    assert problem(answer, 422)["code"] == "CLN420"
    assert "<>" not in answer.text
    assert (await client.get("books?count=exact")).json()["total"] == 0


async def test_a_deleted_value_is_free_again(client: httpx.AsyncClient) -> None:
    """A unique value can be taken again when its row is gone."""
    book = await new_book(client, isbn="1")
    assert (await client.delete(f"books/{book['id']}")).status_code == 204
    await new_book(client, isbn="1")


async def test_of_many_equal_creates_one_wins(client: httpx.AsyncClient) -> None:
    """A race between equal creates gives one 201, and 409 to all others."""
    answers = await asyncio.gather(
        *(client.post("books", json={"title": f"Book {number}", "isbn": "same"}) for number in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert (await client.get("books")).json()["total"] == 1


async def test_of_many_deletes_one_wins(client: httpx.AsyncClient) -> None:
    """A row is deleted once: one 204, and 404 to all others."""
    book = await new_book(client)
    answers = await asyncio.gather(*(client.delete(f"books/{book['id']}") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 5


async def test_no_change_is_lost_among_many(client: httpx.AsyncClient) -> None:
    """Each of many concurrent changes counts the version up by one."""
    book = await new_book(client)
    answers = await asyncio.gather(
        *(client.patch(f"books/{book['id']}", json={"pages": number + 20}) for number in range(10))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 12))
    assert (await client.get(f"books/{book['id']}")).json()["version"] == 11


@pytest.mark.parametrize(
    ("statement", "problem_class", "named"),
    [
        (sa.insert(Book).values(title=None), RequiredError, ["/title"]),
        (sa.insert(Book).values(title="a", pages=13), CheckError, None),
        (sa.insert(Publisher).values(id=uuid4(), name="taken"), UniqueError, ["/name"]),
        (sa.insert(Book).values(title="a", publisher_id=uuid4()), ForeignKeyError, None),
    ],
    ids=["not null", "check", "unique", "foreign key"],
)
@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_errors_of_sessions_are_translated(
    database_url: str, statement: sa.Insert, problem_class: type[Exception], named: list[str] | None, sync: bool
) -> None:
    """S18: what a user's own session raises, async or sync, can be told to a client as well."""
    database = Database(database_url, metadata=Shelf.metadata)
    await database.start(create_tables=True)
    try:
        async with database.engine.begin() as connection:
            await connection.execute(sa.insert(Publisher).values(id=uuid4(), name="taken"))
        caught = await asyncio.to_thread(_run_sync, database, statement) if sync else await _run(database, statement)
    finally:
        await database.dispose()
    problem = database.translate(caught)
    assert isinstance(problem, problem_class)
    if named is not None:
        assert [fault.pointer for fault in problem.faults] == named


async def _run(database: Database, statement: sa.Insert) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        async with database.sessions() as session:
            await session.execute(statement)
    return caught.value


def _run_sync(database: Database, statement: sa.Insert) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught, database.sync_sessions() as session:
        session.execute(statement)
    return caught.value
