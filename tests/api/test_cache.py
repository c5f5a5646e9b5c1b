"""S30: lists and rows with relations from the cache, and never what a change has made untrue."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.types import Scope

from colonnade import Cache, Database, DeclarationError, Resource, Routes
from colonnade.cache import Answers
from colonnade.cache.memory import MemoryEntries
from colonnade.policy.principal import Principal
from tests.anthology import Anthology, Story, StoryAuthor, anthology, anthology_app, read
from tests.library import create

pytestmark = pytest.mark.anyio

LISTS = ("stories?include=author&count=exact", "stories?author.name=Poe", "authors/1/stories")


def answers_of(app: FastAPI) -> Answers:
    """Give the application's cache."""
    found = app.state.colonnade.answers
    assert isinstance(found, Answers)
    return found


async def told(client: httpx.AsyncClient) -> list[Any]:
    """Give the titles and authors that each list shows."""
    bodies = [await read(client, path) for path in LISTS]
    return [[(one["title"], one.get("author", {}).get("name")) for one in body["stories"]] for body in bodies]


async def test_what_did_not_change_is_found_again(database_url: str) -> None:
    """S30: a list, and a row with a relation, is made once and then found, the same byte for byte."""
    app = anthology_app(database_url)
    async with anthology(app) as client:
        author = await create(client, "authors", name="Poe")
        await create(client, "stories", title="The Raven", author_id=author["id"])
        for path in (*LISTS[:2], "stories/1?include=author"):
            first, hits = await client.get(path), answers_of(app).hits
            again = await client.get(path)
            assert (again.content, again.headers.get("etag")) == (first.content, first.headers.get("etag"))
            assert again.headers.get("link") == first.headers.get("link")
            assert answers_of(app).hits == hits + 1


async def test_a_plain_row_is_not_cached() -> None:
    """S30: one table's columns are read faster than a cache is asked."""
    app = anthology_app("sqlite://")
    async with anthology(app) as client:
        await create(client, "authors", name="Poe")
        await read(client, "authors/1")
        await read(client, "authors/1")
        assert (answers_of(app).hits, answers_of(app).misses) == (0, 0)


async def test_every_kind_of_change_shows_at_once(database_url: str) -> None:
    """S30: after each change, of the row itself or of what is shown beside it, every list tells the new state."""
    async with anthology(anthology_app(database_url)) as client:
        await create(client, "authors", name="Poe")
        assert await told(client) == [[], [], []]
        await create(client, "stories", title="The Raven", author_id=1)
        assert await told(client) == [[("The Raven", "Poe")], [("The Raven", None)], [("The Raven", None)]]
        await client.patch("stories/1", json={"title": "Ligeia"})
        assert await told(client) == [[("Ligeia", "Poe")], [("Ligeia", None)], [("Ligeia", None)]]
        await client.patch("authors/1", json={"name": "E. A. Poe"})
        assert await told(client) == [[("Ligeia", "E. A. Poe")], [], [("Ligeia", None)]]
        await client.post("stories/bulk", json={"items": [{"title": "Berenice", "author_id": 1}]})
        assert len((await told(client))[0]) == 2
        await client.post("batch", json={"operations": [{"id": "a", "method": "DELETE", "path": "/api/v1/stories/1"}]})
        assert len((await told(client))[0]) == 1
        await client.delete("authors/1")  # and the stories with him, by their foreign key
        assert (await read(client, LISTS[0]))["total"] == 0


async def test_an_own_session_renews_too(database_url: str) -> None:
    """S30: what an application changes in a session of its own shows at once, by the ORM or by SQL of any form."""
    app = anthology_app(database_url)
    database: Database = app.state.database
    async with anthology(app) as client:
        await create(client, "authors", name="Poe")
        await read(client, LISTS[0])
        async with database.unit_of_work() as unit:
            unit.session.add(Story(title="The Raven", author_id=1))
            await unit.commit()
        assert (await read(client, LISTS[0]))["total"] == 1
        async with database.session() as session:
            await session.execute(sa.text("/* no form that is known */ DELETE FROM stories"))
            await session.commit()
        assert (await read(client, LISTS[0]))["total"] == 0
        with database.sync_sessions() as sync:
            if not database_url.endswith("//"):  # another connection would be another database
                sync.add(Story(title="Ligeia", author_id=1))
                sync.commit()
                assert (await read(client, LISTS[0]))["total"] == 1


async def test_what_was_rolled_back_changes_nothing(database_url: str) -> None:
    """S30: a refused change renews no version."""
    app = anthology_app(database_url)
    async with anthology(app) as client:
        await create(client, "authors", name="Poe")
        await read(client, LISTS[0])
        assert (await client.post("stories", json={"title": "x", "author_id": 99})).status_code == 409
        hits = answers_of(app).hits
        await read(client, LISTS[0])
        assert answers_of(app).hits == hits + 1


async def test_writers_of_a_cached_table_wait_and_are_served(database_url: str) -> None:
    """S30: changes of different rows at once all renew the same version, one after the other, and none is refused."""
    app = anthology_app(database_url)
    async with anthology(app) as client:
        authors = [await create(client, "authors", name=str(number)) for number in range(20)]

        async def rename(id: int) -> None:
            for number in range(5):
                assert (await client.patch(f"authors/{id}", json={"name": f"{number}"})).status_code == 200

        await asyncio.gather(*[rename(author["id"]) for author in authors])


async def test_changes_elsewhere_leave_it_alone(database_url: str) -> None:
    """S30: a change of a table that is not behind an answer costs it nothing."""
    app = anthology_app(database_url)
    async with anthology(app) as client:
        await read(client, LISTS[0])
        await create(client, "uncached", name="x")
        hits = answers_of(app).hits
        await read(client, LISTS[0])
        assert answers_of(app).hits == hits + 1


async def test_twenty_who_ask_at_once_have_it_made_once() -> None:
    """S30: many who miss the same answer wait for one that is being made."""
    app = anthology_app("sqlite://")
    async with anthology(app) as client:
        await create(client, "authors", name="Poe")
        await asyncio.gather(*[client.get(LISTS[0]) for _ in range(20)])
        assert answers_of(app).misses == 1


@pytest.fixture
def known_app() -> FastAPI:
    """The application, with a header that says who asks: an id, and a role behind a slash."""

    async def authenticate(scope: Scope, _: Database) -> Principal:
        id, _, role = dict(scope["headers"]).get(b"x-who", b"").decode().partition("/")
        return Principal(id or None, role or None)

    app = anthology_app("sqlite://")
    app.state.colonnade.authenticate = authenticate
    return app


async def test_each_principal_has_answers_of_his_own(known_app: FastAPI) -> None:
    """S30: what one account was shown another one never gets, nor the same one in another role; refusals come first."""
    async with anthology(known_app) as client:
        for who in ("1/user", "2/user"):
            await client.post("notes", json={"owner_id": who[0], "text": who}, headers={"x-who": who})
        told = {}
        for who in ("1/user", "2/user", "2/admin", "1/user", "2/user"):
            notes = (await client.get("notes", headers={"x-who": who})).json()["notes"]
            assert told.setdefault(who, notes) == notes
        assert {who: [note["text"] for note in notes] for who, notes in told.items()} == {
            "1/user": ["1/user"],
            "2/user": ["2/user"],
            "2/admin": ["1/user", "2/user"],
        }
        assert (answers_of(known_app).hits, answers_of(known_app).misses) == (2, 3)
        assert (await client.get("notes")).status_code == 401


async def test_what_everybody_may_see_is_made_once_for_all(known_app: FastAPI) -> None:
    """S30: an answer that no policy has a say in is shared."""
    async with anthology(known_app) as client:
        for who in ("", "1/user", "2/user"):
            assert (await client.get(LISTS[0], headers={"x-who": who})).status_code == 200
        assert (answers_of(known_app).hits, answers_of(known_app).misses) == (2, 1)


async def test_a_client_that_has_it_is_told_so() -> None:
    """S30: a cached row answers 304 to the entity tag that it was given with."""
    app = anthology_app("sqlite://")
    async with anthology(app) as client:
        await create(client, "authors", name="Poe")
        await create(client, "stories", title="The Raven", author_id=1)
        first = await client.get("stories/1?include=author")
        again = await client.get("stories/1?include=author", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        other = await client.get("stories/1?include=author", headers={"if-none-match": '"nothing"'})
        assert (other.status_code, other.content) == (200, first.content)


async def test_refusals_are_not_kept() -> None:
    """S30: a row that was not there is there once it was made, and a query that is refused is refused each time."""
    async with anthology(anthology_app("sqlite://")) as client:
        await create(client, "authors", name="Poe")
        assert (await client.get("stories/1?include=author")).status_code == 404
        assert [(await client.get("stories?colour=red")).status_code for _ in range(2)] == [422, 422]
        await create(client, "stories", title="The Raven", author_id=1)
        assert (await client.get("stories/1?include=author")).status_code == 200


async def test_cache_off_keeps_nothing() -> None:
    """S30: `CACHE=off` leaves the routes as they are, without a cache."""
    app = anthology_app("sqlite://", cache=False)
    async with anthology(app) as client:
        assert (await read(client, LISTS[0]))["total"] == 0
        assert app.state.colonnade.answers is None


async def test_too_many_tables_are_refused_at_the_declaration() -> None:
    """A resource whose answers depend on a dozen tables is told so when it is declared."""
    with pytest.raises(DeclarationError, match="not worth a cache"):
        Resource(StoryAuthor, routes=Routes(path="a", cache=Cache(tables=[f"t{number}" for number in range(12)])))
    assert "t1" not in Anthology.metadata.info["colonnade_cached_tables"]


async def test_memory_forgets_what_is_old_or_too_much() -> None:
    """An entry lives as long as it was given, and the least recently used one goes first."""
    entries = MemoryEntries()
    await entries.put("old", b"x", -1.0)
    assert await entries.get("old") is None
    for number in range(40):
        await entries.put(str(number), bytes(1_000_000), 60)
        await entries.get("0")
    assert entries.size <= 32 * 1_048_576
    assert await entries.get("0") is not None
    assert await entries.get("1") is None
    await entries.put("large", bytes(2_000_000), 60)
    assert await entries.get("large") is None
