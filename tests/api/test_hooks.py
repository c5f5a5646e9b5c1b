"""A service's hooks: their order, their transaction, and what becomes of it when one raises; on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from colonnade import Change, ConflictError, Database, JobRequest, RuleError, Service
from colonnade.core.errors import ContentionError
from tests.library import (
    HOST,
    Book,
    Publisher,
    Shelf,
    book_resource,
    library,
    library_app,
    new_book,
    places,
    problem,
)

pytestmark = pytest.mark.anyio


class Recording(Service):
    """Notes each hook with what it sees, and raises where it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.raising = ""

    async def note(self, hook: str, change: Change, *, inside: bool) -> None:
        """Note a hook, look for the session, raise."""
        self.seen.append(hook)
        try:
            total = await change.session.scalar(sa.select(sa.func.count()).select_from(Book))
            self.seen.append(f"{total} rows")
            assert inside
        except RuntimeError:
            assert not inside
        if self.raising == hook:
            raise RuleError(f"No {hook}.")

    async def prepare(self, change: Change) -> None:
        """Note it."""
        await self.note("prepare", change, inside=False)

    async def before_create(self, change: Change) -> None:
        """Note it, and alter what is stored."""
        await self.note("before_create", change, inside=True)
        change.values["blurb"] = f"by a hook: {change.values['title']}"

    async def after_create(self, change: Change) -> None:
        """Note it, and store something else in the same transaction."""
        await self.note("after_create", change, inside=True)
        change.session.add(Publisher(name=f"of book {change.id}"))

    async def before_update(self, change: Change) -> None:
        """Note it, with the row as it is."""
        await self.note(f"before_update of {change.row.title}", change, inside=True)
        change.notes["was"] = change.row.title

    async def after_update(self, change: Change) -> None:
        """Note it, with the row as it became."""
        await self.note(f"after_update of {change.row.title}, was {change.notes['was']}", change, inside=True)

    async def before_delete(self, change: Change) -> None:
        """Note it."""
        await self.note(f"before_delete of {change.row.title}", change, inside=True)

    async def after_delete(self, change: Change) -> None:
        """Note it."""
        await self.note("after_delete", change, inside=True)

    async def after_commit(self, change: Change) -> None:
        """Note it."""
        await self.note("after_commit", change, inside=False)


@pytest.fixture
def service() -> Recording:
    """A service that notes its hooks."""
    return Recording()


@pytest.fixture
async def client(database_url: str, service: Recording) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the library whose books have that service."""
    async with library(database_url, service) as client:
        yield client


async def test_hooks_of_a_create_come_in_order(client: httpx.AsyncClient, service: Recording) -> None:
    """Prepare, before, the INSERT, after, commit, after_commit; what a hook alters and adds is stored."""
    book = await new_book(client)
    assert service.seen == ["prepare", "before_create", "0 rows", "after_create", "1 rows", "after_commit"]
    assert book["blurb"] == "by a hook: Emma"
    assert (await client.get(f"books/{book['id']}")).json() == book
    names = [row["name"] for row in (await client.get("publishers")).json()["publishers"]]
    assert names == [f"of book {book['id']}"]


async def test_hooks_of_a_change_see_the_row_before_and_after(client: httpx.AsyncClient, service: Recording) -> None:
    """Before it the row is as it is, after it as it became; notes go from one to the next."""
    book = await new_book(client)
    service.seen.clear()
    answer = await client.patch(f"books/{book['id']}", json={"title": "Persuasion"})
    assert service.seen == [
        "prepare", "before_update of Emma", "1 rows", "after_update of Persuasion, was Emma", "1 rows", "after_commit",
    ]  # fmt: skip
    assert (answer.json()["title"], answer.json()["version"]) == ("Persuasion", 2)


async def test_hooks_of_a_delete_come_in_order(client: httpx.AsyncClient, service: Recording) -> None:
    """Before it the row is there, after it it is gone."""
    book = await new_book(client)
    service.seen.clear()
    assert (await client.delete(f"books/{book['id']}")).status_code == 204
    assert service.seen == ["prepare", "before_delete of Emma", "1 rows", "after_delete", "0 rows", "after_commit"]


@pytest.mark.parametrize("hook", ["prepare", "before_create", "after_create"])
async def test_a_hook_that_raises_leaves_nothing(client: httpx.AsyncClient, service: Recording, hook: str) -> None:
    """S76: whatever was done before is rolled back, the client is told why, and `after_commit` is not called."""
    service.raising = hook
    answer = await client.post("books", json={"title": "Emma"})
    assert problem(answer, 422)["detail"] == f"No {hook}."
    assert "after_commit" not in service.seen
    assert (await client.get("books")).json()["total"] == 0
    assert (await client.get("publishers")).json()["total"] == 0


async def test_a_hook_that_raises_leaves_the_row(client: httpx.AsyncClient, service: Recording) -> None:
    """S76: a refused change and a refused delete leave the row as it was."""
    book = await new_book(client)
    service.raising = "after_update of Persuasion, was Emma"
    problem(await client.patch(f"books/{book['id']}", json={"title": "Persuasion"}), 422)
    service.raising = "after_delete"
    problem(await client.delete(f"books/{book['id']}"), 422)
    assert (await client.get(f"books/{book['id']}")).json() == book


async def test_hooks_are_not_asked_about_a_row_that_is_not_there(client: httpx.AsyncClient, service: Recording) -> None:
    """A change of nothing is 404 before any hook inside the transaction."""
    problem(await client.patch("books/7", json={"title": "a"}), 404)
    problem(await client.delete("books/7"), 404)
    assert service.seen == ["prepare", "prepare"]


async def test_a_constraint_at_the_commit_is_told(client: httpx.AsyncClient, service: Recording) -> None:
    """What the database refuses of a hook's own rows is a problem as well, and rolls the change back."""
    await new_book(client)
    publisher = (await client.get("publishers")).json()["publishers"][0]
    await client.patch(f"publishers/{publisher['id']}", json={"name": "of book 2"})
    answer = await client.post("books", json={"title": "Other"})
    assert (answer.status_code, places(answer, 409)) == (409, ["/name"])
    assert (await client.get("books")).json()["total"] == 1


async def test_what_a_hook_sets_has_to_fit(database_url: str) -> None:
    """A value that a hook makes too long is refused before it reaches a database that would take it."""

    class TooLong(Service):
        async def before_create(self, change: Change) -> None:
            """Set it."""
            change.values["title"] = "x" * 21

    async with library(database_url, TooLong()) as client:
        assert places(await client.post("books", json={"title": "a"}), 422) == ["/title"]


async def test_an_empty_patch_calls_no_hook(client: httpx.AsyncClient, service: Recording) -> None:
    """`{}` changes nothing, so nothing is before or after it."""
    book = await new_book(client)
    service.seen.clear()
    assert (await client.patch(f"books/{book['id']}", json={})).json() == book
    assert [hook for hook in service.seen if hook != "prepare"] == []


async def test_hooks_without_a_transaction_keep_the_short_way(database_url: str) -> None:
    """`prepare` and `after_commit` alone: the change is planned, and both are called around it."""
    seen: list[Any] = []

    class Around(Service):
        async def prepare(self, change: Change) -> None:
            """Alter what will be stored."""
            change.values["pages"] = 77
            seen.append(("prepare", change.id))

        async def after_commit(self, change: Change) -> None:
            """See the id, and the committed row from another connection."""
            async with database.session(read_only=True) as session:
                seen.append(("after_commit", change.id, await session.scalar(sa.select(Book.pages))))

    database = Database(database_url, metadata=Shelf.metadata)
    assert not Around().transactional
    async with library(database_url, Around(), database) as client:
        book = await new_book(client)
    assert book["pages"] == 77
    assert seen == [("prepare", None), ("after_commit", book["id"], 77)]


async def test_a_conflict_is_told_as_one(database_url: str) -> None:
    """S77: `ConflictError` is 409 with the rule's own words."""

    class Sold(Service):
        async def before_update(self, change: Change) -> None:
            """Refuse."""
            raise ConflictError("Sold out.")

    async with library(database_url, Sold()) as client:
        book = await new_book(client)
        answer = await client.patch(f"books/{book['id']}", json={"pages": 2})
        assert problem(answer, 409)["detail"] == "Sold out."


@pytest.mark.databases("sqlite-memory")
async def test_a_hook_that_breaks_is_a_500_that_says_nothing(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """S19: a bug in a hook is logged with its traceback, and the client sees the request id only."""

    class Broken(Service):
        async def after_create(self, change: Change) -> None:
            """Fail."""
            raise ZeroDivisionError("secret detail")

    async with library(database_url, Broken()) as client:
        answer = await client.post("books", json={"title": "a"})
        assert "secret" not in answer.text
        assert problem(answer, 500)["request_id"] in caplog.text
        assert (await client.get("books")).json()["total"] == 0


class Faulty(Service):
    """Fails as an application's own code does."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    async def before_create(self, change: Change) -> None:
        """Fail."""
        self.calls += 1
        raise self.error


class FaultyJobs(Service):
    """Fails where it is asked for jobs, in the midst of a planned change."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    def jobs(self, change: Change) -> Iterable[JobRequest]:
        """Fail."""
        self.calls += 1
        raise self.error


OWN_ERRORS = [
    ValueError("no number"), FileNotFoundError("letter.html"), ConnectionRefusedError("mail.example"), KeyError(1213),
    OverflowError("too large"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"),
]  # fmt: skip


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
@pytest.mark.parametrize("kind", [Faulty, FaultyJobs])
async def test_an_error_of_a_hook_is_not_the_databases(database_url: str, kind: type[Faulty | FaultyJobs]) -> None:
    """S18, S19: a fault of the application's is told as one and not tried again, whatever drivers raise of its kind."""
    service = kind(OWN_ERRORS[0])
    app = library_app(Database(database_url, metadata=Shelf.metadata), resources=[book_resource(service)])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=f"{HOST}/api/v1/") as client,
    ):
        for error in OWN_ERRORS:
            service.error, service.calls = error, 0
            for path, body in (("books", {"title": "a"}), ("books/bulk", {"items": [{"title": "a"}]})):
                answer = await client.post(path, json=body)
                assert (answer.status_code, type(error)) == (500, type(error)), answer.text
            assert service.calls == 2
        assert (await client.get("books")).json()["total"] == 0


class Failing(Service):
    """Raises after the first commit, whatever the hook after it was called for."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.told: list[object] = []

    async def after_commit(self, change: Change) -> None:
        """Raise once, note afterwards."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.told.append(change.id)


class FailingInside(Failing):
    """The same, with changes made by a session."""

    async def after_create(self, change: Change) -> None:
        """See it."""


BOOKS = {"items": [{"title": "a"}, {"title": "b"}]}
STEP = {"id": "o", "method": "POST", "path": "/api/v1/books", "body": {"title": "a"}}


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("kind", "error"),
    [(Failing, ConflictError("no")), (FailingInside, ContentionError("busy"))],
    ids=["planned", "session"],
)
@pytest.mark.parametrize(
    ("path", "body", "expected", "told"),
    [
        ("books", {"title": "a"}, 201, []),
        ("books/bulk", BOOKS, 201, [2]),
        ("books/bulk?atomic=false", BOOKS, 207, [2]),
        ("batch", {"operations": [STEP, STEP | {"id": "p"}]}, 200, [2]),
    ],
    ids=["one", "bulk", "singly", "batch"],
)
async def test_an_error_after_the_commit_repeats_nothing(
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    kind: type[Failing],
    error: Exception,
    path: str,
    body: Any,
    expected: int,
    told: list[int],
) -> None:
    """S67, S77: what stands is answered as stored and made once; the error is logged, the other changes are told of."""
    service = kind(error)
    async with library(database_url, service) as client:
        answer = await client.post(path, json=body)
        assert answer.status_code == expected, answer.text
        assert (await client.get("books")).json()["total"] == len(told) + 1
    assert service.told == told
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


@pytest.mark.databases("sqlite-memory")
async def test_a_unit_of_work_does_all_that_waits_for_its_commit(database_url: str) -> None:
    """S67: an effect that fails is not the commit's failure, nor that of the effects behind it."""
    database, done = Database(database_url, metadata=Shelf.metadata), []

    async def fail() -> None:
        raise ContentionError("busy")

    async def note() -> None:
        done.append("noted")

    async def once() -> None:
        async with database.unit_of_work() as unit:
            unit.after_commit(fail)
            unit.after_commit(note)
            await unit.commit()

    await database.retry(once)
    await database.dispose()
    assert done == ["noted"]
