"""Totals: exact, estimated or none; remembered where counting is expensive, and right all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from colonnade import Database, IntegerId, Listing, Resource, Service, Settings, SoftDelete, create_app
from colonnade.database.driver import Statement
from colonnade.services import totals
from colonnade.testing import PostgreSQL
from tests.library import Book, Shelf, client_of, library, new_book, new_publisher, problem

pytestmark = pytest.mark.anyio


class Idle(Service):
    """Wants to see the rows, so that they are read by the ORM, and leaves them as they are."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Do nothing."""


@pytest.fixture(params=[Service(), Idle()], ids=["compiled", "orm"])
def service(request: pytest.FixtureRequest) -> Service:
    """Choose the way."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def database(database_url: str) -> Database:
    """The database that is counted in."""
    return Database(database_url, metadata=Shelf.metadata)


@pytest.fixture
async def client(database: Database, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library with three books."""
    async with library("", service, database) as client:
        for number in range(3):
            await new_book(client, f"book {number}", pages=number)
        yield client


@pytest.fixture
def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Remember every total, however small, and give the list of the counts that were run."""
    return _counts_in(database, monkeypatch)


def _counts_in(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(totals, "LARGE", 0)
    counts: list[str] = []
    fetch = Database.fetch

    async def fetched(self: Database, statement: Statement) -> Sequence[Sequence[Any]]:
        if "count(*)" in statement.sql and self is database:
            counts.append(statement.sql)
        return await fetch(self, statement)

    monkeypatch.setattr(Database, "fetch", fetched)
    return counts


async def total(client: httpx.AsyncClient, query: str = "") -> int | None:
    """Ask for a page of one row and give its total."""
    answer = await client.get(f"books?page_size=1&{query}")
    assert answer.status_code == 200, answer.text
    found: int | None = answer.json().get("total")
    return found


async def test_a_total_is_counted_as_asked(client: httpx.AsyncClient) -> None:
    """S23: `exact` in a page and with skip, unless something else is asked for; `none` leaves it out."""
    assert await total(client) == await total(client, "count=exact") == await total(client, "count=estimated") == 3
    assert await total(client, "count=none") is None
    assert (await client.get("books?skip=1&limit=1")).json()["total"] == 3
    assert await total(client, "pages__gte=1&count=estimated") == 2
    problem(await client.get("books?count=some"), 422)


async def test_a_total_is_remembered(client: httpx.AsyncClient, counted: list[str]) -> None:
    """S23: one count serves every page, order and view of the same filter."""
    for query in ("", "page=2", "sort=-title", "fields=id"):
        assert await total(client, query) == 3
    assert len(counted) == 1
    assert [await total(client, "pages__gte=1"), await total(client, "pages__gte=2")] == [2, 1]
    assert len(counted) == 3  # one for each value of a filter


async def test_a_total_follows_this_process_at_once(client: httpx.AsyncClient, counted: list[str]) -> None:
    """S23: create, change and delete through the API show in the next total, and a plain total without a new count."""
    assert await total(client) == 3
    book = await new_book(client, "new", pages=9)
    assert await total(client) == 4
    await client.patch(f"books/{book['id']}", json={"pages": 8})
    assert await total(client) == 4
    await client.delete(f"books/{book['id']}")
    assert await total(client) == 3
    assert len(counted) == 1


async def test_a_filtered_total_follows_this_process_at_once(client: httpx.AsyncClient, counted: list[str]) -> None:
    """S23: what a filter lets through is counted again after a change that may reach it, and only after such a one."""
    assert await total(client, "pages__gte=0") == 3
    book = await new_book(client, "new", pages=9)
    assert await total(client, "pages__gte=0") == 4
    assert len(counted) == 2
    await client.patch(f"books/{book['id']}", json={"title": "newer"})
    assert await total(client, "pages__gte=0") == 4
    assert len(counted) == 2
    await client.patch(f"books/{book['id']}", json={"pages": -1})
    assert await total(client, "pages__gte=0") == 3
    assert len(counted) == 3


async def test_a_total_follows_sessions_at_once(
    client: httpx.AsyncClient, database: Database, counted: list[str]
) -> None:
    """S23, S38: what the application's own sessions commit shows in the next total; what they roll back never does."""
    assert await total(client) == 3
    async with database.unit_of_work() as unit:
        unit.session.add_all([Book(title="one", pages=1), Book(title="two", pages=2)])
        await unit.session.flush()
        await unit.session.execute(sa.update(Book).where(Book.title == "one").values(pages=5))
        await unit.commit()
    assert await total(client) == 5
    async with database.unit_of_work() as unit:
        unit.session.add(Book(title="three"))
        await unit.session.flush()
    assert await total(client) == 5
    async with database.unit_of_work() as unit:
        unit.session.add(Book(title="four"))
        async with unit.session.begin_nested() as savepoint:
            unit.session.add(Book(title="five"))
            await unit.session.flush()
            await savepoint.rollback()
        await unit.commit()
    assert await total(client) == 6
    async with database.engine.begin() as connection:
        await connection.execute(sa.text("delete from books where title = 'four'"))
    assert await total(client) == 5


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_a_total_follows_sync_sessions_at_once(client: httpx.AsyncClient, database: Database) -> None:
    """S25: the sync sessions of plain `def` endpoints are no strangers."""

    def write() -> None:
        with database.sync_sessions() as session:
            session.add(Book(title="sync"))
            session.commit()

    assert await total(client) == 3
    await asyncio.to_thread(write)
    assert await total(client) == 4


def test_a_total_is_a_second_old_at_most() -> None:
    """S23: after so long it is not believed any more; the tests of that do not wait as long."""
    assert totals.MAX_AGE == 1.0


@pytest.fixture
def short_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have totals be old soon."""
    monkeypatch.setattr(totals, "MAX_AGE", 0.2)


@pytest.mark.usefixtures("short_age")
@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_a_write_from_outside_shows_within_a_second(
    client: httpx.AsyncClient, database: Database, counted: list[str]
) -> None:
    """S23: what another process commits shows in an exact total a second later at the latest."""
    assert await total(client) == 3
    other = Database(database.url)
    try:
        for wanted in (4, 5):
            async with other.unit_of_work() as unit:
                unit.session.add(Book(title=f"from outside {wanted}"))
                await unit.commit()
            await asyncio.sleep(totals.MAX_AGE + 0.05)
            assert await total(client) == wanted
    finally:
        await other.dispose()


@pytest.mark.usefixtures("short_age")
@pytest.mark.databases("sqlite-file")
async def test_a_quiet_database_is_not_counted_again(client: httpx.AsyncClient, counted: list[str]) -> None:
    """S23: a total that is old is still right when nobody has committed anything since."""
    await _ask_when_old(client)
    assert len(counted) == 2  # the second time with a stamp


@pytest.mark.usefixtures("short_age")
@pytest.mark.needs("postgresql")
async def test_a_quiet_postgresql_is_not_counted_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """S23: the same on a server of the test's own: the stamp is the whole server's, and other tests write to theirs."""
    with PostgreSQL() as server:
        database = Database(server.url, metadata=Shelf.metadata)
        counts = _counts_in(database, monkeypatch)
        async with library("", service, database) as client:
            for number in range(3):
                await new_book(client, f"book {number}", pages=number)
            await _ask_when_old(client)
        assert len(counts) == 2


async def _ask_when_old(client: httpx.AsyncClient) -> None:
    await total(client)
    for _ in range(3):
        await asyncio.sleep(totals.MAX_AGE + 0.05)
        assert await total(client) == 3


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_a_small_total_is_never_late(client: httpx.AsyncClient, database: Database) -> None:
    """S23: below the size at which totals are remembered, a write from outside shows at once."""
    assert await total(client) == 3
    other = Database(database.url)
    async with other.unit_of_work() as unit:
        unit.session.add(Book(title="from outside"))
        await unit.commit()
    await other.dispose()
    assert await total(client) == 4


async def test_many_wait_for_one_count(client: httpx.AsyncClient, counted: list[str]) -> None:
    """S23: when a total has to be counted again, twenty requests share a count."""
    await total(client, "pages__gte=0")
    await new_book(client, "new", pages=9)
    found = await asyncio.gather(*[total(client, "pages__gte=0") for _ in range(20)])
    assert found == [4] * 20
    assert len(counted) <= 3


async def test_totals_stay_right_among_writers(client: httpx.AsyncClient, counted: list[str]) -> None:
    """S23: whoever reads after its own write was answered finds it in the total, while others write and read."""
    made = {"begun": 3, "done": 3}
    gone = {"begun": 0, "done": 0}

    async def write(number: int) -> None:
        for step in range(6):
            made["begun"] += 1
            book = await new_book(client, f"{number}.{step}", pages=number)
            made["done"] += 1
            least, most = made["done"], -gone["done"]
            found = await total(client)
            assert found is not None
            assert least - gone["begun"] <= found <= most + made["begun"]
            if step % 2:
                gone["begun"] += 1
                await client.delete(f"books/{book['id']}")
                gone["done"] += 1

    await asyncio.gather(*[write(number) for number in range(10)])
    assert await total(client) == 33
    assert await total(client, "pages__gte=0") == 33


@pytest.mark.databases("postgresql")
async def test_postgresql_estimates_large_totals(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`count=estimated` is the planner's guess on PostgreSQL where the guess is large, filtered or not."""
    many = sa.text(
        "insert into books (title, pages, sold, binding, featured, created_at, updated_at, version) "
        "select 'n' || n, n % 10, 0, 'soft cover', false, now(), now(), 1 from generate_series(1, 20000) n"
    )
    async with database.engine.begin() as connection:
        await connection.execute(many)
        await connection.execute(sa.text("analyze books"))
    counts = []
    fetch = Database.fetch

    async def fetched(self: Database, statement: Statement) -> Sequence[Sequence[Any]]:
        counts.append(statement.sql)
        return await fetch(self, statement)

    monkeypatch.setattr(Database, "fetch", fetched)
    monkeypatch.setattr(totals, "LARGE", 1000)
    whole, tenth = await total(client, "count=estimated"), await total(client, "count=estimated&pages=7")
    assert 18_000 < (whole or 0) < 22_000
    assert 1_000 < (tenth or 0) < 3_000
    assert not any("count(*)" in sql for sql in counts)


class Parent(IntegerId, Shelf):
    """Takes its children with it."""

    __tablename__ = "parents"
    name: Mapped[str] = mapped_column(sa.String(20))


class Child(IntegerId, Shelf):
    """Goes with its parent."""

    __tablename__ = "children"
    parent_id: Mapped[int] = mapped_column(sa.ForeignKey("parents.id", ondelete="CASCADE"))


async def test_a_parent_takes_its_children_out_of_the_total(database: Database, counted: list[str]) -> None:
    """S23: rows that go with another table's row leave the total at once."""
    settings = Settings(env="test", _env_file=None)
    app = create_app([Resource(Parent), Resource(Child)], database=database, settings=settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        for name in "ab":
            parent = (await client.post("parents", json={"name": name})).json()
            for _ in range(3):
                await client.post("children", json={"parent_id": parent["id"]})
        assert (await client.get("children?page_size=1")).json()["total"] == 6
        await client.delete(f"parents/{parent['id']}")
        assert (await client.get("children?page_size=1")).json()["total"] == 3


async def test_a_publisher_is_counted_by_itself(client: httpx.AsyncClient, counted: list[str]) -> None:
    """A change of one table leaves the totals of the others alone."""
    await total(client)
    await new_publisher(client)
    assert await total(client) == 3
    assert len(counted) == 1


class Guest(SoftDelete, IntegerId, Shelf):
    """May be deleted softly."""

    __tablename__ = "guests"
    name: Mapped[str] = mapped_column(sa.String(20))


async def test_inserts_carry_a_total_of_what_may_be_deleted_softly(database: Database, counted: list[str]) -> None:
    """S23, S74: one by one and in bulk they need no new count, deleted rows shown or not; a deletion is told."""
    settings = Settings(env="test", _env_file=None)
    guests = Resource(Guest, listing=Listing(deleted=True))
    app = create_app([guests], database=database, settings=settings)

    async def totals_of_both() -> list[int]:
        answers = [await client.get(f"guests?page_size=1{more}") for more in ("", "&deleted=include")]
        return [answer.json()["total"] for answer in answers]

    async with app.router.lifespan_context(app), client_of(app) as client:
        await client.post("guests/bulk", json={"items": [{"name": "Ada"}, {"name": "Bob"}]})
        assert await totals_of_both() == [2, 2]
        counted.clear()
        await client.post("guests", json={"name": "Cid"})
        await client.patch("guests/1", json={"name": "Ade"})
        assert await totals_of_both() == [3, 3]
        await client.post("guests/bulk", json={"items": [{"name": "Dan"}, {"name": "Eve"}]})
        assert await totals_of_both() == [5, 5]
        assert counted == []
        await client.delete("guests/2")
        assert await totals_of_both() == [4, 5]
        await client.post("guests/2/restore")
        assert await totals_of_both() == [5, 5]
