"""What a policy lets be read, on both ways: rows out of reach are not there, and hidden fields are no field at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from colonnade import (
    Database,
    IntegerId,
    Listing,
    Policy,
    Resource,
    Routes,
    Service,
    SoftDelete,
    Versioned,
    allow,
    role,
    signed_in,
)
from colonnade.policy.access import access_to
from colonnade.policy.policy import govern
from tests.magazine import ADA, ADMIN, BOB, EDITOR, client_of, magazine, magazine_app, status, titles, told

pytestmark = pytest.mark.anyio


class Ballot(DeclarativeBase):
    """The base of two models of this file."""


class Voter(IntegerId, Ballot):
    """Votes."""

    __tablename__ = "voters"

    name: Mapped[str] = mapped_column(sa.String(50))
    votes: Mapped[list[Vote]] = relationship(lazy="raise", order_by="Vote.id")


class Computed(Service):
    """Has the rows read by a session."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Look on."""


class VoteShown(BaseModel):
    """What is shown of a vote inside of its voter."""

    model_config = ConfigDict(from_attributes=True)
    choice: str


class Vote(IntegerId, Versioned, SoftDelete, Ballot):
    """Is counted; whose it is remains hidden from others."""

    __tablename__ = "votes"

    choice: Mapped[str] = mapped_column(sa.String(50))
    voter_id: Mapped[int] = mapped_column(sa.ForeignKey("voters.id"))


@asynccontextmanager
async def ballot(database_url: str, *, by_session: bool = False) -> AsyncIterator[FastAPI]:
    """Start an application in which a voter has voted twice, and one of the votes is deleted."""
    policy = Policy(
        allow("read", "read_deleted", to=signed_in, hide=["voter_id"]),
        allow("read", "read_deleted", "create", to=role("user"), own="voter_id"),
        allow("everything", to=role("admin")),
    )
    service = Computed() if by_session else None
    votes = Resource(Vote, listing=Listing(deleted=True), service=service, policy=policy)
    voters = Resource(
        Voter,
        listing=Listing(includes={"votes": VoteShown}, filters=["votes.choice"]),
        service=service,
        routes=Routes(parts={"votes": (votes, "voter_id")}),
    )
    database = Database(database_url, metadata=Ballot.metadata)
    app = magazine_app(database, [voters, votes])
    async with app.router.lifespan_context(app):
        async with database.engine.begin() as connection:
            await connection.execute(sa.insert(Voter), [{"name": "ada"}])
            await connection.execute(sa.insert(Vote), [{"choice": "yes", "voter_id": 1}] * 2)
            await connection.execute(sa.update(Vote).where(Vote.id == 2).values(is_deleted=True))
        yield app


@pytest.fixture(params=["compiled", "by session"])
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[FastAPI]:
    """The magazine, read and changed either way."""
    async with magazine(database_url, watched=request.param == "by session") as started:
        yield started


async def test_a_list_has_the_rows_in_reach_and_counts_no_other(app: FastAPI) -> None:
    """S78: everybody sees what is published, an author all of his own, an editor and an administrator everything."""
    for account, wanted in {
        "": ["Engines", "Boats"],
        ADA: ["Engines", "Drafts", "Boats"],
        BOB: ["Engines", "Boats", "Secrets"],
        EDITOR: ["Engines", "Drafts", "Boats", "Secrets"],
        ADMIN: ["Engines", "Drafts", "Boats", "Secrets"],
    }.items():
        async with client_of(app, account) as client:
            assert await titles(client) == wanted
            body = (await client.get("articles?page_size=1")).json()
            assert (body["total"], len(body["articles"])) == (len(wanted), 1)


async def test_a_row_out_of_reach_is_not_there(app: FastAPI) -> None:
    """A draft of somebody else's answers as an id that was never given."""
    async with client_of(app, BOB) as bob, client_of(app) as anybody:
        for client in (bob, anybody):
            hidden, missing = await client.get("articles/2"), await client.get("articles/99")
            assert hidden.status_code == missing.status_code == 404
            assert hidden.json()["detail"] == missing.json()["detail"].replace("99", "2")
    async with client_of(app, ADA) as ada:
        assert (await ada.get("articles/2")).json()["title"] == "Drafts"


async def test_who_may_read_nothing_is_told_to_sign_in_or_refused(app: FastAPI) -> None:
    """S17: 401 with `WWW-Authenticate` to those who have not signed in."""
    async with client_of(app) as anybody:
        for path in ("authors", "authors/1", "authors/1/articles"):
            answer = await anybody.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json()["code"] == "CLN300"
    async with client_of(app, ADA, scopes="articles:read") as key:
        answer = await key.get("authors")
        assert (answer.status_code, answer.json()["code"]) == (403, "CLN301")


async def test_a_field_is_seen_on_the_rows_where_it_may_be_seen(app: FastAPI) -> None:
    """S11: a user sees its own e-mail address, and the key is missing in all others."""
    async with client_of(app, ADA) as ada:
        rows = (await ada.get("authors?sort=id")).json()["authors"]
        assert [list(row) for row in rows] == [
            ["id", "name", "email", "rank", "version"],
            *[["id", "name", "rank", "version"]] * 3,
        ]
        assert "email" in (await ada.get("authors/1")).json()
        assert "email" not in (await ada.get("authors/2")).json()
    async with client_of(app, ADMIN) as admin:
        assert all("email" in row for row in (await admin.get("authors")).json()["authors"])


async def test_a_field_that_is_hidden_on_every_row_is_no_field(app: FastAPI) -> None:
    """A rating is in no row of those who are no editors."""
    async with client_of(app, ADA) as ada, client_of(app, EDITOR) as editor:
        assert all("rating" not in row for row in (await ada.get("articles")).json()["articles"])
        assert (await editor.get("articles/1")).json()["rating"] == 5


ORACLES = [
    ("authors", "email=a", "nothing=a"),
    ("authors", "email__startswith=a", "nothing__startswith=a"),
    ("authors", 'filter={"email":"a"}', 'filter={"nothing":"a"}'),
    ("authors", 'filter={"not":{"or":[{"email":"a"}]}}', 'filter={"not":{"or":[{"nothing":"a"}]}}'),
    ("authors", "sort=email", "sort=nothing"),
    ("authors", "sort=-name,email", "sort=-name,nothing"),
    ("authors", "sort_by=email", "sort_by=nothing"),
    ("authors", "fields=id,email", "fields=id,nothing"),
    ("authors/1", "fields=email", "fields=nothing"),
    ("authors", "sort=email&cursor=", "sort=nothing&cursor="),
    ("articles", "rating__gte=5", "nothing__gte=5"),
    ("articles", "sort=-rating", "sort=-nothing"),
    ("articles", "author.email=ada@example.com", "author.nothing=ada@example.com"),
    ("reviews", "article.author.email=a", "article.author.nothing=a"),
]


async def test_a_hidden_field_can_not_be_asked_by(app: FastAPI) -> None:
    """S8: filter, tree, sort and fields answer of a hidden field what they answer of one that there is not."""
    async with client_of(app, ADA) as ada, client_of(app, ADMIN) as admin:
        for path, hidden, unknown in ORACLES:
            one, other = await ada.get(f"{path}?{hidden}"), await ada.get(f"{path}?{unknown}")
            assert one.status_code == other.status_code == 422, (path, hidden, one.text)
            assert told(one, "email", "rating") == told(other, "nothing")
            assert await status(admin, "GET", f"{path}?{hidden}") == 200


async def test_a_search_looks_into_what_is_seen_only(app: FastAPI) -> None:
    """`q` finds nobody by an address that is not shown."""
    async with client_of(app, ADA) as ada, client_of(app, ADMIN) as admin:
        assert (await ada.get("authors?q=example.com")).json()["total"] == 0
        assert (await ada.get("authors?q=bob")).json()["total"] == 1
        assert (await admin.get("authors?q=example.com")).json()["total"] == 4
        assert await titles(ada, "q=bob@example.com") == []
        assert await titles(admin, "q=bob@example.com") == ["Boats", "Secrets"]


async def test_an_included_row_is_under_its_own_policy(app: FastAPI) -> None:
    """Who includes an author sees of it what the author's own address would show."""
    async with client_of(app, ADA) as ada, client_of(app, BOB) as bob:
        mine = (await ada.get("articles/1?include=author")).json()
        assert mine["author"]["email"] == "ada@example.com"
        theirs = (await ada.get("articles/3?include=author")).json()
        assert list(theirs["author"]) == ["id", "name", "rank", "version"]
        row = (await bob.get("authors/1?include=articles")).json()
        assert [article["title"] for article in row["articles"]] == ["Engines"]
        assert "rating" not in row["articles"][0]
        both = (await bob.get("authors?include=articles.reviews&sort=id")).json()["authors"]
        assert [[one["title"] for one in row["articles"]] for row in both] == [
            ["Engines"],
            ["Boats", "Secrets"],
            [],
            [],
        ]
        assert both[1]["articles"][1]["reviews"] == [{"id": 4, "article_id": 4, "words": "of 4"}]


async def test_what_is_under_no_policy_leads_to_nothing_that_is(app: FastAPI) -> None:
    """Reviews are everybody's; the article of one is null where it is out of reach, and nobody is found by it."""
    async with client_of(app, BOB) as bob, client_of(app) as anybody:
        rows = (await bob.get("reviews?include=article.author&sort=id")).json()["reviews"]
        assert [row["article"] and row["article"]["title"] for row in rows] == ["Engines", None, "Boats", "Secrets"]
        assert ["email" in row["article"]["author"] for row in rows if row["article"]] == [False, True, True]
        assert (await bob.get("reviews?article.title=Drafts")).json()["reviews"] == []
        assert (await bob.get("reviews?article.title=Secrets")).json()["total"] == 1
        assert (await anybody.get("reviews?article.title=Secrets")).json()["reviews"] == []
        assert await status(anybody, "GET", "reviews?include=article.author") == 422
        assert (await anybody.get("reviews/2?include=article")).json()["article"] is None


async def test_a_part_has_the_rows_in_reach(app: FastAPI) -> None:
    """S6: the articles of an author are those that whoever asks may read."""
    async with client_of(app, BOB) as bob, client_of(app, ADA) as ada:
        assert await titles(bob, path="authors/1/articles") == ["Engines"]
        assert await titles(ada, path="authors/1/articles") == ["Engines", "Drafts"]


async def test_a_part_does_not_tell_by_a_hidden_key(database_url: str) -> None:
    """Rows are found as a parent's only by those who see in them whose they are, deleted ones too."""
    totals: dict[str, list[int | None]] = {}
    async with ballot(database_url) as app:
        for account in (ADA, BOB, EDITOR, ADMIN):
            async with client_of(app, account) as client:
                paths = ("votes", "voters/1/votes", "voters/1/votes?deleted=include")
                totals[account] = [(await client.get(path)).json().get("total") for path in paths]
    assert totals == {ADA: [1, 1, 2], BOB: [1, 0, 0], EDITOR: [1, None, None], ADMIN: [1, 1, 2]}


@pytest.mark.parametrize("by_session", [False, True])
@pytest.mark.databases("sqlite-memory")
async def test_an_include_does_not_tell_by_a_hidden_key(database_url: str, by_session: bool) -> None:
    """A list inside of its parent tells whose its rows are, and so does a filter through it."""
    shown: dict[str, object] = {}
    async with ballot(database_url, by_session=by_session) as app:
        for account in (ADA, BOB, EDITOR, ADMIN):
            async with client_of(app, account) as client:
                row = (await client.get("voters/1?include=votes")).json()
                by_filter = await status(client, "GET", "voters?votes.choice=yes")
                shown[account] = (row.get("votes", row.get("code")), by_filter)
    yes = [{"choice": "yes"}]
    assert shown == {ADA: (yes, 422), BOB: ([], 422), EDITOR: ("CLN200", 422), ADMIN: (yes, 200)}


async def test_a_walk_passes_through_the_rows_in_reach(app: FastAPI) -> None:
    """A cursor leads on among the rows that its holder sees; another's leads among that other's own."""
    async with client_of(app, ADA) as ada, client_of(app) as anybody:
        met, cursor = [], ""
        while cursor is not None:
            body = (await ada.get(f"articles?cursor={cursor}&limit=1&sort=title")).json()
            met += [row["title"] for row in body["articles"]]
            cursor = body["next_cursor"]
        assert met == ["Boats", "Drafts", "Engines"]
        first = (await ada.get("articles?cursor=&limit=1&sort=title")).json()["next_cursor"]
        assert await titles(anybody, f"cursor={first}&sort=title") == ["Engines"]


async def test_deleted_rows_are_shown_by_permission(app: FastAPI) -> None:
    """S74: an author sees his own deleted articles, an editor, who has none, no other's."""
    async with client_of(app, ADMIN) as admin:
        assert await status(admin, "DELETE", "articles/1") == 204
        assert await status(admin, "DELETE", "articles/3") == 204
        assert await titles(admin, "deleted=only") == ["Engines", "Boats"]
    async with client_of(app, ADA) as ada, client_of(app, EDITOR) as editor, client_of(app) as anybody:
        assert await titles(ada, "deleted=only") == ["Engines"]
        assert await titles(ada, "deleted=include") == ["Engines", "Drafts"]
        assert await status(ada, "GET", "articles/1?deleted=include") == 200
        assert await status(ada, "GET", "articles/3?deleted=include") == 404
        assert await titles(editor, "deleted=only") == []
        assert await titles(editor, "deleted=include") == ["Drafts", "Secrets"]
        assert await status(anybody, "GET", "articles?deleted=only") == 401
    async with client_of(app, ADA, scopes="reviews:read") as key:
        assert await status(key, "GET", "articles?deleted=only") == 403


async def test_the_entity_tag_tells_apart_who_sees_more(app: FastAPI) -> None:
    """RFC 9110 §8.8.1: what is shown differs, so the tag does; both are good for `If-Match`."""
    async with client_of(app, ADA) as ada, client_of(app, ADMIN) as admin:
        partial, whole = (await ada.get("articles/1")).headers["etag"], (await admin.get("articles/1")).headers["etag"]
        assert whole == '"1"'
        assert partial != whole
        assert (await ada.get("articles/1", headers={"If-None-Match": whole})).status_code == 200
        assert (await ada.get("articles/1", headers={"If-None-Match": partial})).status_code == 304
        answer = await ada.patch("articles/1", json={"title": "Machines"}, headers={"If-Match": partial})
        assert answer.status_code == 200
        assert "rating" not in answer.json()


@pytest.mark.parametrize("by_session", [False, True])
@pytest.mark.databases("sqlite-memory")
async def test_a_new_row_has_the_tag_by_which_it_is_read(database_url: str, by_session: bool) -> None:
    """RFC 9110 §9.3.3: a POST shows what a GET shows, so that its tag serves `If-None-Match` at once."""
    async with ballot(database_url, by_session=by_session) as app:
        for account in (ADA, ADMIN):
            async with client_of(app, account) as client:
                made = await client.post("votes", json={"voter_id": 1, "choice": "no"})
                assert made.status_code == 201
                read = await client.get(f"votes/{made.json()['id']}", headers={"If-None-Match": made.headers["etag"]})
                assert (read.status_code, read.headers["etag"]) == (304, made.headers["etag"])


def test_a_policy_counts_from_its_declaration_on() -> None:
    """What was found while a model had no policy does not outlive its declaration."""

    class Ledger(IntegerId, Ballot):
        __tablename__ = "ledgers_of_policy_reading"

    assert access_to(Ledger, "read").is_open
    govern(Ledger, Policy(allow("read", to=signed_in)))
    assert not access_to(Ledger, "read").grants
