"""`Idempotency-Key`: a repeated request is answered as the first one, and done once; on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from colonnade import Base, Change, Database, Listing, Resource, Routes, RuleError, Service, idempotency_keys
from colonnade.services.idempotency import KEPT
from tests.library import Book, Publisher, Shelf, library, places, problem

pytestmark = pytest.mark.anyio

Client = httpx.AsyncClient


class Slow(Service):
    """Stores a publisher beside each book, and may be told to wait or to refuse."""

    def __init__(self) -> None:
        self.entered, self.released = asyncio.Event(), asyncio.Event()
        self.released.set()
        self.refusing = False
        self.told = 0

    async def before_create(self, change: Change) -> None:
        """Wait or refuse, where told to."""
        self.entered.set()
        await self.released.wait()
        if self.refusing:
            raise RuleError("Not now.")

    async def after_create(self, change: Change) -> None:
        """Store something of its own."""
        change.session.add(Publisher(name=f"of book {change.id}"))

    async def after_commit(self, change: Change) -> None:
        """Count."""
        self.told += 1


@pytest.fixture(params=[None, Slow], ids=["compiled", "hooks"])
def service(request: pytest.FixtureRequest) -> Service | None:
    """None, or one with hooks inside the transaction."""
    made: Service | None = request.param and request.param()
    return made


def resources(service: Service | None) -> list[Resource]:
    """Declare books that take keys."""
    listing = Listing(filters=["title"])
    return [Resource(Book, listing=listing, service=service, routes=Routes(idempotent=True)), Resource(Publisher)]


@pytest.fixture
def database(database_url: str) -> Database:
    """The database, which the application disposes of."""
    metadata = Shelf.metadata
    return Database(database_url, metadata=metadata)


@pytest.fixture
async def client(database: Database, database_url: str, service: Service | None) -> AsyncIterator[Client]:
    """A client of books that take keys."""
    async with library(database_url, None, database, resources(service)) as client:
        yield client


def key(text: str = "a-key") -> dict[str, str]:
    """Give the header."""
    return {"idempotency-key": text}


async def total(client: Client, what: str = "books") -> int:
    """Count rows."""
    found: int = (await client.get(what)).json()["total"]
    return found


async def test_a_repeated_request_is_answered_again(client: Client) -> None:
    """Conventions, Idempotency-Key: the same status, headers and body, one effect, and a header that says so."""
    first = await client.post("books", json={"title": "Emma"}, headers=key())
    again = await client.post("books", json={"title": "Emma"}, headers=key())
    assert (first.status_code, first.content) == (again.status_code, again.content)
    for name in ("location", "etag", "content-type"):
        assert first.headers[name] == again.headers[name]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert await total(client) == 1


async def test_a_patch_is_done_once(client: Client) -> None:
    """Conventions, Idempotency-Key: PATCH takes it too, and its scope is the path."""
    ids = [(await client.post("books", json={"title": "Emma"})).json()["id"] for _ in range(2)]
    answers = [await client.patch(f"books/{id}", json={"pages": 7}, headers=key()) for id in (ids[0], ids[0], ids[1])]
    assert [answer.json()["version"] for answer in answers] == [2, 2, 2]
    assert [answer.json()["id"] for answer in answers] == [ids[0], ids[0], ids[1]]


async def test_a_body_can_not_be_guessed_from_what_is_stored(client: Client, database: Database) -> None:
    """C21: equal bodies of two keys are stored unlike, so that the table is no quick way to try passwords."""
    for text in ("a-key", "another"):
        await client.post("books", json={"title": "Emma"}, headers=key(text))
    async with database.session(read_only=True) as session:
        stored = (await session.execute(sa.select(idempotency_keys(Shelf.metadata).c.request))).scalars().all()
    assert len(set(stored)) == 2


async def test_another_key_is_another_request(client: Client) -> None:
    """Conventions, Idempotency-Key: without a key or with another one it is done again."""
    for headers in (key("a"), key("b"), {}, {}):
        assert (await client.post("books", json={"title": "Emma"}, headers=headers)).status_code == 201
    assert await total(client) == 4


async def test_a_key_of_another_request_is_refused(client: Client) -> None:
    """Conventions, Idempotency-Key: another body is 422, and does nothing."""
    await client.post("books", json={"title": "Emma"}, headers=key())
    answer = await client.post("books", json={"title": "Persuasion"}, headers=key())
    assert problem(answer, 422)["code"] == "CLN203"
    assert await total(client) == 1


@pytest.mark.parametrize("text", ["", " ", "a b", "x" * 256, "caf\xe9", "a\tb"])
@pytest.mark.databases("sqlite-memory")
async def test_a_key_has_visible_characters(client: Client, text: str) -> None:
    """Conventions, Idempotency-Key: 1 to 255 visible characters, else 400."""
    headers = {"idempotency-key": text.encode("latin-1")}
    answer = await client.post("books", json={"title": "Emma"}, headers=headers)
    assert places(answer, 400) == ["Idempotency-Key"]
    longest = await client.post("books", json={"title": "Emma"}, headers=key("x" * 255))
    assert longest.status_code == 201


async def test_a_refusal_is_not_remembered(client: Client) -> None:
    """Conventions, Idempotency-Key: a refused request has stored nothing, so that its key is free."""
    await client.post("books", json={"title": "Emma", "isbn": "1"})
    answer = await client.post("books", json={"title": "Other", "isbn": "1"}, headers=key())
    assert places(answer, 409) == ["/isbn"]
    assert (await client.post("books", json={"title": "Other", "isbn": "2"}, headers=key())).status_code == 201


async def test_ten_at_once_have_one_effect(client: Client) -> None:
    """Reliability, idempotency key replayed 10 at once: as many effects as keys, identical bodies."""
    for number in range(2):
        answers = await asyncio.gather(*(_patient_post(client, number) for _ in range(10)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert await total(client) == 2


async def _patient_post(client: Client, number: int) -> httpx.Response:
    """Send a request again, as a client does, when it hears that the first of its like is still running (409)."""
    for _ in range(10):
        answer = await client.post("books", json={"title": f"Book {number}"}, headers=key(str(number)))
        if answer.status_code != 409:
            break
        assert (answer.json()["code"], bool(answer.headers["retry-after"])) == ("CLN440", True)
    return answer


async def test_an_answer_is_kept_for_a_day(client: Client, database: Database) -> None:
    """Conventions, Idempotency-Key: after 24 hours the key is free again."""
    await client.post("books", json={"title": "Emma"}, headers=key())
    async with database.unit_of_work() as unit:
        table = idempotency_keys(Shelf.metadata)
        await unit.session.execute(sa.update(table).values(created_at=datetime.now(UTC) - KEPT - timedelta(minutes=1)))
        await unit.commit()
    answer = await client.post("books", json={"title": "Emma"}, headers=key())
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)
    assert await total(client) == 2


async def test_a_bulk_change_is_done_once(client: Client) -> None:
    """Conventions, Idempotency-Key: the bulk routes are POST and PATCH as well."""
    body = {"items": [{"title": "a"}, {"title": "b"}]}
    answers = [await client.post("books/bulk", json=body, headers=key()) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert await total(client) == 2


async def test_the_last_hook_comes_once(database_url: str, database: Database) -> None:
    """Conventions, Idempotency-Key: `after_commit` is called after the commit of effect and answer, and not again."""
    service = Slow()
    async with library(database_url, None, database, resources(service)) as client:
        for _ in range(2):
            await client.post("books", json={"title": "Emma"}, headers=key())
        assert (service.told, await total(client, "publishers")) == (1, 1)
        service.refusing = True
        problem(await client.post("books", json={"title": "Other"}, headers=key("b")), 422)
        assert service.told == 1


async def test_a_request_that_is_still_at_work(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conventions, Idempotency-Key: 409 with Retry-After while the first request is at work, its answer afterwards."""
    monkeypatch.setattr("colonnade.services.idempotency.PATIENCE", 0.05)
    service = Slow()
    async with library(database_url, None, database, resources(service)) as client:
        service.released.clear()
        first = asyncio.create_task(client.post("books", json={"title": "Emma"}, headers=key()))
        await service.entered.wait()
        answer = await client.post("books", json={"title": "Emma"}, headers=key())
        assert (problem(answer, 409)["code"], answer.headers["retry-after"]) == ("CLN440", "1")
        service.released.set()
        done = await first
        again = await client.post("books", json={"title": "Emma"}, headers=key())
        assert (done.status_code, again.content) == (201, done.content)


def test_the_table_is_declared_once() -> None:
    """Any number of resources share the one table of their metadata."""
    metadata = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    assert idempotency_keys(metadata) is idempotency_keys(metadata)
