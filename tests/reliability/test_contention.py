"""Many who want the same thing at once: one gets it, nobody gets half of it, and nobody gets a 500."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
import sqlalchemy as sa

from colonnade import Change, Database, PoolSettings, Resource, Routes, Service
from colonnade.core.errors import ContentionError
from tests.library import Book, Publisher, Shelf, library, new_book
from tests.reliability.faulty import Looking, is_told, refused
from tests.reliability.figures import kind_of, note, seconds, times

pytestmark = pytest.mark.anyio

ROUNDS, AT_ONCE = times(50, 1_000), 20
FAILURES = times(50, 2_000)


async def test_one_of_twenty_gets_a_unique_value(database_url: str) -> None:
    """Reliability, unique race: of twenty who ask for the same value at once one gets 201 and the others 409."""
    async with library(database_url) as client:
        await race([client], ROUNDS)
    note("unique race", kind_of(database_url), rounds=ROUNDS, at_once=AT_ONCE)


async def race(workers: list[httpx.AsyncClient], rounds: int) -> None:
    """Ask so often for one value twenty times at once, of the workers in turn."""
    asked = [workers[number % len(workers)] for number in range(AT_ONCE)]
    before = (await workers[0].get("books")).json()["total"]
    for number in range(rounds):
        body = {"title": "Emma", "isbn": str(number)}
        answers = await asyncio.gather(*[client.post("books", json=body) for client in asked])
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {201: 1, 409: AT_ONCE - 1}
    assert (await workers[0].get("books")).json()["total"] == before + rounds


async def test_a_transfer_keeps_the_sum(database_url: str) -> None:
    """S45, reliability, transfer: what leaves one row arrives in another, or neither happens; the sum is always the same."""
    database = Database(database_url, metadata=Shelf.metadata)
    async with library(database_url, database=database) as client:
        await _quicken(database_url)
        ids = [(await new_book(client, f"Emma {number}", sold=100))["id"] for number in range(5)]
        done = Counter[str]()
        end = asyncio.get_running_loop().time() + seconds(2, 1_800)

        async def move() -> None:
            while asyncio.get_running_loop().time() < end:
                source, target = random.sample(ids, 2)
                transfer = partial(_transfer, database, source, target, breaks=random.random() < 0.2)
                try:
                    await database.retry(transfer)
                except _BrokenError:
                    done["rolled back"] += 1
                except ContentionError:
                    done["refused"] += 1
                else:
                    done["moved"] += 1

        async def add_up() -> None:
            while asyncio.get_running_loop().time() < end:
                books = (await client.get("books?count=none&fields=sold")).json()["books"]
                assert sum(book["sold"] for book in books) == 500
                done["sums"] += 1
                await asyncio.sleep(0.005)

        await asyncio.gather(*[move() for _ in range(8)], add_up())
        books = (await client.get("books?fields=sold")).json()["books"]
        assert sum(book["sold"] for book in books) == 500
        assert min(done["moved"], done["sums"]) > 0
    note("transfer between rows", kind_of(database_url), **dict(done))


async def _transfer(database: Database, source: int, target: int, *, breaks: bool) -> None:
    """Take one from a row and give it to another, in any order of rows: deadlocks are meant to happen."""
    async with database.unit_of_work() as unit:
        for id, by in ((source, -1), (target, 1)):
            await unit.session.execute(sa.update(Book).where(Book.id == id).values(sold=Book.sold + by))
            if breaks:
                raise _BrokenError
        await unit.commit()


class _BrokenError(Exception):
    """Something of the application's own goes wrong between two statements."""


class Crossing(Service):
    """Changing a book changes its neighbour as well, after a moment in which the other one does the same."""

    async def after_update(self, change: Change) -> None:
        """Count the neighbour, whose id is one more or one less."""
        await asyncio.sleep(0.01)
        other = change.id + 1 if change.id % 2 else change.id - 1
        await change.session.execute(sa.update(Book).where(Book.id == other).values(pages=Book.pages + 1))


@pytest.mark.databases("postgresql", "mariadb")
async def test_deadlocks_are_done_again(database_url: str) -> None:
    """Reliability, deadlock: two who lock each other's rows are both served, and each change has its effect once."""
    resource = Resource(Book, service=Crossing())
    async with library(database_url, resources=[resource, Resource(Publisher)]) as client:
        await _quicken(database_url)
        pairs = 10
        for number in range(2 * pairs):
            await new_book(client, f"Emma {number}", pages=0)
        done = Counter[int]()
        for _ in range(FAILURES // pairs):
            answers = await asyncio.gather(
                *[client.patch(f"books/{id}", json={"weight": random.random()}) for id in range(1, 2 * pairs + 1)]
            )
            for id, answer in enumerate(answers, 1):
                done[id] += is_told(answer, 200)
        books = (await client.get("books?page_size=100")).json()["books"]
        for book in books:
            other = book["id"] + 1 if book["id"] % 2 else book["id"] - 1
            assert (book["pages"], book["version"]) == (done[other], done[book["id"]] + 1)
    note("deadlock", kind_of(database_url), pairs=FAILURES, served=done.total(), refused=2 * FAILURES - done.total())


async def _quicken(database_url: str) -> None:
    """Have PostgreSQL look for deadlocks after 20 ms instead of a second, in new sessions."""
    if not database_url.startswith("postgresql"):
        return
    admin = Database(database_url)
    async with admin.engine.connect() as connection:
        name = (await connection.execute(sa.text("SELECT current_database()"))).scalar_one()
        await connection.execute(sa.text(f'ALTER DATABASE "{name}" SET deadlock_timeout = 20'))
        await connection.commit()
    await admin.dispose()


FAIL_TWICE = """
    CREATE SEQUENCE tries;
    CREATE FUNCTION fail() RETURNS trigger AS $$ BEGIN
        IF nextval('tries') % {every} <> 0 THEN RAISE EXCEPTION 'as told' USING ERRCODE = '{state}'; END IF;
        RETURN NEW;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER failing BEFORE UPDATE ON books FOR EACH ROW EXECUTE FUNCTION fail();
"""


@asynccontextmanager
async def failing(
    database_url: str, service: Service | None, state: str, every: int
) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application on a server that refuses all but each so many-th change, by an error of its own."""
    books = Resource(Book, service=service, routes=Routes())
    database = Database(database_url, metadata=Shelf.metadata, pool=PoolSettings(size=5))
    async with library(database_url, database=database, resources=[books, Resource(Publisher)]) as client:
        async with database.engine.connect() as connection:
            for statement in FAIL_TWICE.format(every=every, state=state).split(";\n    CREATE"):
                words = statement if statement.lstrip().startswith("CREATE") else f"CREATE{statement}"
                await connection.exec_driver_sql(words)
            await connection.commit()
        yield client


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize("service", [None, Looking()], ids=["compiled", "by session"])
async def test_a_serialization_failure_is_done_again(database_url: str, state: str, service: Service | None) -> None:
    """Reliability, serialization failure: a change that the server refuses twice as such is stored once, the third time."""
    async with failing(database_url, service, state, 3) as client:
        book = await new_book(client, pages=0)
        for number in range(1, FAILURES // 5 + 1):
            answer = await client.patch(f"books/{book['id']}", json={"pages": number})
            assert (answer.status_code, answer.json()["version"]) == (200, number + 1)


@pytest.mark.databases("postgresql")
async def test_used_up_retries_are_told(database_url: str) -> None:
    """Reliability, serialization failure: one that never ends is 503 with Retry-After, and nothing is stored."""
    async with failing(database_url, None, "40001", 2**40) as client:
        book = await new_book(client, pages=0)
        assert refused(await client.patch(f"books/{book['id']}", json={"pages": 9})) == "CLN513"
        assert (await client.get(f"books/{book['id']}")).json()["pages"] == 0
