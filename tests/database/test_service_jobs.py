"""`Service.jobs`: what follows from a change is stored with it, whichever way the change goes; on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from colonnade import Change, Database, JobRequest, JobRun, RuleError, Service, Settings, create_app, job, job_table
from colonnade.models.jobs import JOBS
from tests.library import Shelf, book_resource, client_of, new_book, problem

pytestmark = pytest.mark.anyio

METADATA = sa.MetaData()
job_table(METADATA)


@job(name="told")
async def told(run: JobRun, action: str, id: int, title: str | None = None) -> None:
    """Do nothing."""


class Telling(Service):
    """Asks for one job a change."""

    def jobs(self, change: Change) -> Iterator[JobRequest]:
        """Tell what was changed."""
        yield told.request(change.action, change.id, change.values.get("title"))


class Hooked(Telling):
    """The same with a hook inside each transaction."""

    async def after_create(self, change: Change) -> None:
        """Look at the session."""
        await change.session.scalar(sa.select(sa.func.count()).select_from(JOBS))

    async def after_update(self, change: Change) -> None:
        """Look at the session."""
        await change.session.scalar(sa.select(sa.func.count()).select_from(JOBS))


@pytest.fixture(params=[Telling, Hooked])
def service(request: pytest.FixtureRequest) -> Service:
    """A service whose changes go the compiled way, and one whose changes go by a session."""
    made: Service = request.param()
    return made


@pytest.fixture
async def client(database_url: str, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the books, which tell their changes."""
    database = Database(database_url, metadata=Shelf.metadata)
    app = create_app([book_resource(service)], database=database, settings=Settings(env="test", _env_file=None))
    async with app.router.lifespan_context(app), client_of(app) as client:
        async with database.engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        client.app = app  # type: ignore[attr-defined]  # for `asked`
        yield client


async def asked(client: Any) -> list[tuple[Any, ...]]:
    """Give what was told so far, in its order, and forget it."""
    async with client.app.state.database.unit_of_work() as unit:
        found = list(await unit.session.execute(sa.select(JOBS.c.arguments).order_by(JOBS.c.id)))
        await unit.session.execute(sa.delete(JOBS))
        await unit.commit()
    return [tuple(row.arguments.get(name) for name in ("action", "id", "title")) for row in found]


async def test_each_change_asks_once(client: httpx.AsyncClient) -> None:
    """S27: create, change, delete; with the id that the database gave."""
    book = await new_book(client, "Emma")
    assert (await client.patch(f"books/{book['id']}", json={"title": "Persuasion"})).status_code == 200
    assert (await client.delete(f"books/{book['id']}")).status_code == 204
    found = sorted(await asked(client))
    assert found == [("create", book["id"], "Emma"), ("delete", book["id"], None), ("update", book["id"], "Persuasion")]


async def test_what_changes_nothing_asks_for_nothing(client: httpx.AsyncClient) -> None:
    """A refused change, one of a stale version, one of a row that is not there, and an empty one."""
    book = await new_book(client, "Emma", isbn="1")
    await asked(client)
    path = f"books/{book['id']}"
    problem(await client.post("books", json={"title": "Again", "isbn": "1"}), 409)
    problem(await client.patch(path, json={"title": "Stale"}, headers={"if-match": '"7"'}), 412)
    problem(await client.patch("books/4711", json={"title": "Missing"}), 404)
    problem(await client.delete("books/4711"), 404)
    assert (await client.patch(path, json={})).status_code == 200
    assert await asked(client) == []


async def test_many_changes_at_once_ask_for_each(client: httpx.AsyncClient) -> None:
    """Bulk asks row by row, and a batch that is rolled back leaves nothing."""
    answer = await client.post("books/bulk", json={"items": [{"title": "One"}, {"title": "Two"}]})
    assert answer.status_code == 201
    ids = [book["id"] for book in answer.json()["books"]]
    assert (await client.patch("books/bulk", json={"ids": ids, "set": {"pages": 5}})).status_code == 200
    assert (await client.post("books/bulk-delete", json={"ids": ids})).status_code == 200
    found = sorted(await asked(client), key=str)
    assert [row[:2] for row in found] == [(action, id) for action in ("create", "delete", "update") for id in ids]
    operations = [
        {"id": "a", "method": "POST", "path": "/api/v1/books", "body": {"title": "Three"}},
        {"id": "b", "method": "DELETE", "path": "/api/v1/books/4711"},
    ]
    problem(await client.post("batch", json={"operations": operations}), 404)
    assert await asked(client) == []
    assert (await client.post("batch", json={"operations": operations[:1]})).status_code == 200
    assert [row[2] for row in await asked(client)] == ["Three"]


@pytest.mark.parametrize("service", [Telling], indirect=True)
async def test_a_planned_change_asks_without_a_session(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows from a change without hooks is stored by planned statements, behind the change's own."""
    with monkeypatch.context() as patched:
        patched.setattr(Database, "unit_of_work", None)
        book = await new_book(client, "Emma")
        assert (await client.patch(f"books/{book['id']}", json={"pages": 3})).status_code == 200
        assert (await client.delete(f"books/{book['id']}")).status_code == 204
    assert [row[0] for row in await asked(client)] == ["create", "update", "delete"]


class Once(Telling):
    """Asks for a job unless one waits, and for none of a book that may not be told."""

    def jobs(self, change: Change) -> Iterator[JobRequest]:
        """Tell of the first change only."""
        if change.values.get("title") == "Secret":
            raise RuleError("Nobody may be told.")
        yield told.request(change.action, change.id).once("told")


class OnceHooked(Once, Hooked):
    """The same with hooks."""


@pytest.mark.parametrize("service", [Once, OnceHooked], indirect=True)
async def test_a_job_with_a_key_is_asked_for_once(client: httpx.AsyncClient) -> None:
    """A change whose job waits already is stored all the same; one whose job can't be asked for is not."""
    await new_book(client, "Emma")
    await new_book(client, "Persuasion")
    problem(await client.post("books", json={"title": "Secret"}), 422)
    assert [book["title"] for book in (await client.get("books")).json()["books"]] == ["Emma", "Persuasion"]
    assert len(await asked(client)) == 1
