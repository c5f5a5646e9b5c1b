"""What a policy lets be changed, planned and through a session: whose rows, which fields, and into what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from colonnade import Change, Service
from tests.magazine import ADA, ADMIN, BOB, EDITOR, Json, client_of, magazine, status, titles, told

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["planned", "by session"])
async def app(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[FastAPI]:
    """The magazine, read and changed either way."""
    async with magazine(database_url, watched=request.param == "by session") as started:
        yield started


async def row_of(app: FastAPI, path: str) -> Json:
    """Give a row as the administrator sees it, deleted or not."""
    async with client_of(app, ADMIN) as admin:
        row: Json = (await admin.get(path)).json()
        return row


ONE_ROW: list[tuple[str, str, Json | None]] = [
    ("PATCH", "articles/{}", {"title": "Other"}),
    ("PATCH", "articles/{}", {}),
    ("PUT", "articles/{}", {"author_id": 1, "title": "Other", "published": True}),
    ("DELETE", "articles/{}", None),
    ("PATCH", "articles/bulk", {"ids": ["{}"], "set": {"title": "Other"}}),
    ("PATCH", "articles/bulk", {"items": [{"id": "{}", "title": "Other"}]}),
    ("PATCH", "articles/bulk", {"items": [{"id": "{}"}]}),
    ("POST", "articles/bulk-delete", {"ids": ["{}"]}),
]


def of(id: int, path: str, body: Json | None) -> tuple[str, Json | None]:
    """Put an id into a request."""
    if body and "ids" in body:
        body = {**body, "ids": [id]}
    if body and "items" in body:
        body = {**body, "items": [{**item, "id": id} for item in body["items"]]}
    return path.format(id), body


async def test_a_row_that_is_not_ones_own(app: FastAPI) -> None:
    """S78: what may be read and not changed is 403, what may not be read 404, what is one's own is changed."""
    async with client_of(app, ADA) as ada, client_of(app) as anybody:
        for method, path, body in ONE_ROW:
            for id, wanted in ((3, 403), (4, 404), (99, 404)):
                at, sent = of(id, path, body)
                assert await status(ada, method, at, sent) == wanted, (method, at, sent)
                assert await status(anybody, method, at, sent) == 401
            at, sent = of(1, path, body)
            assert await status(ada, method, at, sent) in {200, 204}
            await status(ada, "POST", "articles/1/restore")
    assert (await row_of(app, "articles/3"))["version"] == (await row_of(app, "articles/4"))["version"] == 1


async def test_a_row_is_made_for_oneself_only(app: FastAPI) -> None:
    """A new row has to be one of those that its maker may make: here, its own."""
    async with client_of(app, ADA) as ada, client_of(app) as anybody:
        mine, theirs = {"author_id": 1, "title": "Mine"}, {"author_id": 2, "title": "Theirs"}
        answer = await ada.post("articles", json=mine)
        assert answer.status_code == 201
        assert list(answer.json()) == ["id", "author_id", "title", "published", "version"]
        assert await status(ada, "POST", "articles", theirs) == 403
        assert await status(anybody, "POST", "articles", mine) == 401
        assert await status(ada, "POST", "articles/bulk", {"items": [{**mine, "title": "One"}, theirs]}) == 403
        assert await status(ada, "POST", "articles/bulk", {"items": [{**mine, "title": "One"}]}) == 201
        parts = await ada.post("articles/bulk?atomic=false", json={"items": [{**mine, "title": "Two"}, theirs]})
        assert [result["status"] for result in parts.json()["results"]] == [201, 403]
    async with client_of(app, ADMIN) as admin:
        assert await status(admin, "POST", "articles", theirs) == 201


async def test_a_row_is_not_given_away(app: FastAPI) -> None:
    """PostgreSQL's WITH CHECK: what a rule tells rows by may not be changed so that the row leaves it."""
    async with client_of(app, ADA) as ada:
        for method, path, body in (
            ("PATCH", "articles/1", {"author_id": 2}),
            ("PUT", "articles/1", {"author_id": 2, "title": "Engines"}),
            ("PATCH", "articles/bulk", {"ids": [1, 2], "set": {"author_id": 2}}),
            ("PATCH", "articles/bulk", {"items": [{"id": 1, "author_id": 2}]}),
            ("PUT", "articles/bulk", {"items": [{"author_id": 2, "title": "Engines"}]}),
        ):
            assert await status(ada, method, path, body) == 403, (method, path)
        assert await status(ada, "PATCH", "articles/1", {"author_id": 1, "published": False}) == 200
    assert (await row_of(app, "articles/1"))["author_id"] == 1


FORBIDDEN: list[tuple[str, str, Json]] = [
    ("PATCH", "authors/1", {"rank": "admin"}),
    ("PATCH", "authors/1", {"rank": 7}),
    ("POST", "authors", {"name": "x", "email": "x", "rank": "admin"}),
    ("PATCH", "articles/1", {"rating": 10}),
    ("PATCH", "articles/1", {"rating": "no number"}),
    ("PUT", "articles/1", {"author_id": 1, "title": "x", "rating": 10}),
    ("POST", "articles", {"author_id": 1, "title": "x", "rating": 10}),
    ("PATCH", "articles/bulk", {"ids": [1], "set": {"rating": 10}}),
    ("PATCH", "articles/bulk", {"items": [{"id": 1, "rating": 10}]}),
    ("PATCH", "articles/bulk", {"filter": {"title": "Engines"}, "max_affected": 5, "set": {"rating": 10}}),
    ("POST", "articles/bulk", {"items": [{"author_id": 1, "title": "x", "rating": 10}]}),
    ("PUT", "articles/bulk", {"items": [{"author_id": 1, "title": "Engines", "rating": 10}]}),
]


async def test_a_field_that_one_may_not_write_is_no_field(app: FastAPI) -> None:
    """Mass assignment: such a field is refused in the words for one that there is not, whatever its value."""
    async with client_of(app, ADA) as ada:
        for method, path, body in FORBIDDEN:
            answer = await ada.request(method, path, json=body)
            assert answer.status_code == 422, (method, path, answer.text)
            unknown = await ada.request(method, path, json=_renamed(body))
            assert told(answer, "rating", "rank") == told(unknown, "nothing")
    assert (await row_of(app, "articles/1"))["rating"] == 5
    assert (await row_of(app, "authors/1"))["rank"] == "user"


def _renamed(value: object) -> object:
    """Call every forbidden field by a name that there is not."""
    if isinstance(value, dict):
        return {{"rating": "nothing", "rank": "nothing"}.get(key, key): _renamed(item) for key, item in value.items()}
    return [_renamed(item) for item in value] if isinstance(value, list) else value


async def test_each_account_writes_its_own_fields(app: FastAPI) -> None:
    """An editor publishes and rates what he has not written, and changes nothing else of it."""
    async with client_of(app, EDITOR) as editor, client_of(app, ADMIN) as admin:
        assert await status(editor, "PATCH", "articles/2", {"published": True, "rating": 9}) == 200
        assert await status(editor, "PATCH", "articles/2", {"title": "Mine now"}) == 403
        assert await status(editor, "PATCH", "articles/bulk", {"ids": [1, 2], "set": {"rating": 8}}) == 200
        assert await status(editor, "DELETE", "articles/2") == 403
        assert await status(admin, "PATCH", "authors/1", {"rank": "editor"}) == 200
    article = await row_of(app, "articles/2")
    assert (article["published"], article["rating"], article["title"]) == (True, 8, "Drafts")


async def test_a_change_is_answered_as_its_maker_reads(app: FastAPI) -> None:
    """What is hidden when one reads is not told by the answer to a change either."""
    async with client_of(app, ADA) as ada, client_of(app) as anybody:
        for answer in (
            await ada.patch("articles/1", json={"title": "Other"}),
            await ada.put("articles/1", json={"author_id": 1, "title": "Others"}),
        ):
            assert (answer.status_code, "rating" in answer.json()) == (200, False)
        many = await ada.patch("articles/bulk", json={"ids": [1, 2], "set": {"published": True}})
        assert ["rating" in row for row in many.json()["articles"]] == [False, False]
        one = await ada.patch("authors/1", json={"name": "Ada"})
        assert one.json()["email"] == "ada@example.com"
        made = await anybody.post("authors", json={"name": "new", "email": "new@example.com"})
        assert made.status_code == 201
        assert made.json()["email"] == "new@example.com"  # who said it may see it


async def test_a_bulk_change_is_all_or_nothing_of_what_one_may(app: FastAPI) -> None:
    """One row out of reach among many refuses them all, and is named."""
    async with client_of(app, ADA) as ada:
        for id, wanted in ((3, 403), (4, 404)):
            answer = await ada.patch("articles/bulk", json={"ids": [1, id, 2], "set": {"published": False}})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (wanted, "/ids/1")
            answer = await ada.post("articles/bulk-delete", json={"ids": [1, id]})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (wanted, "/ids/1")
        parts = await ada.patch("articles/bulk?atomic=false", json={"ids": [1, 3, 4], "set": {"published": False}})
        assert [result["status"] for result in parts.json()["results"]] == [200, 403, 404]
    assert (await row_of(app, "articles/2"))["version"] == 1


async def test_an_upsert_does_not_find_what_is_out_of_reach(app: FastAPI) -> None:
    """A key that a hidden row has is taken, as at a POST; which row has it is not told."""
    async with client_of(app, BOB) as bob:
        items = [{"author_id": 2, "title": title} for title in ("Boats", "Drafts")]
        answer = await bob.put("articles/bulk", json={"items": items})
        single = await bob.post("articles", json=items[1])
    assert (answer.status_code, answer.json()["detail"]) == (409, single.json()["detail"])
    assert answer.json()["errors"] == [{**single.json()["errors"][0], "pointer": "/items/1/title"}]
    assert (await row_of(app, "articles/3"))["version"] == 1


async def test_a_filter_finds_what_one_may_change(app: FastAPI) -> None:
    """A bulk change by filter is of the rows in its maker's reach, and of no other that the filter would find."""
    async with client_of(app, ADA) as ada, client_of(app, BOB) as bob:
        change = {"filter": {"id__gte": 1}, "max_affected": 9, "set": {"published": True}}
        assert await status(ada, "PATCH", "articles/bulk", change) == 422  # `id` is no filter of this list
        change["filter"] = {"published__in": [True, False]}
        answer = await ada.patch("articles/bulk", json=change)
        assert (answer.status_code, answer.json()["affected"]) == (200, 2), answer.text
        answer = await bob.post("articles/bulk-delete", json={"filter": {"published": True}, "max_affected": 9})
        assert answer.json() == {"affected": 1}
        assert await titles(bob) == ["Engines", "Drafts", "Secrets"]


async def test_a_batch_asks_for_each_operation(app: FastAPI) -> None:
    """One operation that its sender may not do rolls the others back, and answers its own status."""

    def batch(*operations: tuple[str, str, Json | None]) -> Json:
        return {
            "operations": [
                {"id": str(index), "method": method, "path": f"/api/v1/{path}"} | ({"body": body} if body else {})
                for index, (method, path, body) in enumerate(operations)
            ]
        }

    async with client_of(app, ADA) as ada, client_of(app) as anybody:
        good = ("PATCH", "articles/1", {"title": "Batched"})
        for bad, wanted in (
            (("PATCH", "articles/3", {"title": "Other"}), 403),
            (("PATCH", "articles/4", {"title": "Other"}), 404),
            (("PATCH", "articles/1", {"rating": 1}), 422),
        ):
            assert await status(ada, "POST", "batch", batch(good, bad)) == wanted
        assert await status(anybody, "POST", "batch", batch(good)) == 401
        assert (await row_of(app, "articles/1"))["title"] == "Engines"
        answer = await ada.post("batch", json=batch(good))
        assert answer.status_code == 200
        assert "rating" not in answer.json()["results"][0]["body"]


async def test_restoring_and_purging_are_permissions_of_their_own(app: FastAPI) -> None:
    """S74: an author restores his own articles; only an administrator deletes for good."""
    async with client_of(app, ADA) as ada, client_of(app, BOB) as bob, client_of(app, ADMIN) as admin:
        assert await status(ada, "DELETE", "articles/1?permanent=true") == 403
        assert await status(ada, "DELETE", "articles/1") == 204
        assert await status(bob, "POST", "articles/1/restore") == 403  # published: he knew of it before
        assert await status(ada, "POST", "articles/1/restore") == 200
        assert await status(ada, "DELETE", "articles/2") == 204
        assert await status(bob, "POST", "articles/2/restore") == 404
        assert await status(ada, "PATCH", "articles/2", {"title": "Other"}) == 404
        assert await status(admin, "DELETE", "reviews/2") == 204
        assert await status(admin, "DELETE", "articles/2?permanent=true") == 204
        assert await status(admin, "GET", "articles/2?deleted=include") == 404


async def test_a_demand_is_judged_after_the_permission(app: FastAPI) -> None:
    """Whoever may not change a row learns nothing of its version."""
    async with client_of(app, ADA) as ada:
        stale = {"If-Match": '"7"'}
        assert (await ada.patch("articles/1", json={"title": "x"}, headers=stale)).status_code == 412
        assert (await ada.patch("articles/3", json={"title": "x"}, headers=stale)).status_code == 403
        assert (await ada.patch("articles/4", json={"title": "x"}, headers=stale)).status_code == 404
        assert (await ada.patch("articles/3", json={"title": "x", "version": 7})).status_code == 403
        assert (await ada.delete("articles/3", headers=stale)).status_code == 403


async def test_a_key_does_what_its_scopes_and_its_account_allow(app: FastAPI) -> None:
    """S78: an API key is confined to its scopes, `articles:write`, and never does more than its account."""
    async with (
        client_of(app, ADA, scopes="articles:read") as reads,
        client_of(app, ADA, scopes="articles:read articles:write") as writes,
        client_of(app, ADMIN, scopes="articles:read") as root,
        client_of(app, ADA, scopes="") as nothing,
    ):
        assert await titles(reads) == ["Engines", "Drafts", "Boats"]
        assert await titles(nothing) == ["Engines", "Boats"]
        assert await status(reads, "PATCH", "articles/1", {"title": "x"}) == 403
        assert await status(root, "PATCH", "articles/1", {"title": "x"}) == 403
        assert await status(root, "GET", "authors") == 403
        assert await status(writes, "PATCH", "articles/1", {"title": "x"}) == 200
        assert await status(writes, "PATCH", "articles/3", {"title": "x"}) == 403


@pytest.mark.databases("sqlite-memory")
async def test_no_hook_sees_a_change_that_is_refused(database_url: str) -> None:
    """S78: what a hook does beside its transaction, a letter or a payment, would be done for nobody."""
    seen: list[str] = []

    class Noting(Service):
        async def before_create(self, change: Change) -> None:
            seen.append("create")

        async def before_update(self, change: Change) -> None:
            seen.append("update")

    async with magazine(database_url, service=Noting()) as app, client_of(app, ADA) as ada:
        theirs = {"author_id": 2, "title": "Theirs"}
        assert await status(ada, "POST", "articles", theirs) == 403
        assert await status(ada, "POST", "articles/bulk", {"items": [theirs]}) == 403
        assert await status(ada, "PATCH", "articles/1", {"author_id": 2}) == 403
        assert await status(ada, "PATCH", "articles/bulk", {"ids": [1], "set": {"author_id": 2}}) == 403
        assert seen == []
        assert await status(ada, "POST", "articles", {"author_id": 1, "title": "Mine"}) == 201
        assert await status(ada, "PATCH", "articles/1", {"author_id": 1, "title": "Still mine"}) == 200
        assert seen == ["create", "update"]
