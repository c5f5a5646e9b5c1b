"""A resource's router is an ordinary one: in anybody's FastAPI application, with their routes, dependencies and tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from starlette.responses import PlainTextResponse

from colonnade import Database, Resource, Routes, UnauthenticatedError, get_database, get_db, get_sync_db
from tests.library import Book, Publisher, Shelf, book_resource, client_of, installed, new_book, new_publisher

pytestmark = pytest.mark.anyio


async def who(x_name: Annotated[str | None, Header()] = None) -> str:
    """A dependency of the user's own: who asks."""
    if x_name is None:
        raise HTTPException(401, "Who are you?", headers={"WWW-Authenticate": "Bearer"})
    return x_name


@asynccontextmanager
async def serve(app: FastAPI, database_url: str = "sqlite://", prefix: str = "/") -> AsyncIterator[httpx.AsyncClient]:
    """Install a database into an application of the user's and give a client of it."""
    database = await installed(app, database_url)
    try:
        async with client_of(app, prefix) as client:
            yield client
    finally:
        await database.dispose()


async def test_a_router_goes_into_any_application() -> None:
    """One `include_router` and one `install` serve a resource beside the user's own routes."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    app.include_router(book_resource().router, prefix="/shop")
    async with serve(app, prefix="/shop/") as client:
        book = await new_book(client)
        assert (await client.get(f"books/{book['id']}")).json() == book
        assert (await client.get("http://library.test/hello")).json() == {"hello": "world"}


async def test_a_nested_router_is_served_under_each_prefix() -> None:
    """A router in a router, twice: each place answers."""
    inner, app = APIRouter(prefix="/inner"), FastAPI()
    inner.include_router(book_resource().router)
    app.include_router(inner, prefix="/a")
    app.include_router(inner, prefix="/b")
    async with serve(app) as client:
        assert (await client.post("a/inner/books", json={"title": "Emma"})).headers["location"] == "/a/inner/books/1"
        assert (await client.get("b/inner/books")).json()["total"] == 1


async def test_without_install_the_error_says_what_to_do() -> None:
    """A router whose application was given no database fails with a text that names the remedy."""
    app = FastAPI()
    app.include_router(book_resource().router)
    async with client_of(app, "/") as client:
        with pytest.raises(Exception, match="install"):
            await client.get("books")


async def test_a_dependency_override_chooses_the_database() -> None:
    """`dependency_overrides[get_database]` sends a resource to another database, and back."""
    app = FastAPI()
    app.include_router(book_resource().router)
    other = Database("sqlite://", metadata=Shelf.metadata)
    await other.start(create_tables=True)
    async with serve(app) as client:
        await new_book(client, "Here")
        app.dependency_overrides[get_database] = lambda: other
        await new_book(client, "There")
        assert [row["title"] for row in (await client.get("books")).json()["books"]] == ["There"]
        app.dependency_overrides.clear()
        assert [row["title"] for row in (await client.get("books")).json()["books"]] == ["Here"]
    await other.dispose()


def guard_resource() -> FastAPI:
    """By the resource's own dependencies."""
    app = FastAPI()
    app.include_router(Resource(Book, routes=Routes(replace=True, dependencies=[Depends(who)])).router)
    return app


def guard_router() -> FastAPI:
    """Where the router is included."""
    app = FastAPI()
    app.include_router(book_resource().router, dependencies=[Depends(who)])
    return app


def guard_application() -> FastAPI:
    """On the whole application."""
    app = FastAPI(dependencies=[Depends(who)])
    app.include_router(book_resource().router)
    return app


@pytest.mark.parametrize("make", [guard_resource, guard_router, guard_application])
async def test_the_users_dependency_guards_every_route(make: Any) -> None:
    """A dependency that raises 401 keeps everybody out, wherever it was declared; who is let in is served as ever."""
    async with serve(make()) as client:
        for method, path in [
            ("GET", "books"),
            ("POST", "books"),
            ("GET", "books/1"),
            ("PATCH", "books/1"),
            ("DELETE", "books/1"),
        ]:
            answer = await client.request(method, path, json={"title": "a"} if method in {"POST", "PATCH"} else None)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
        client.headers["x-name"] = "Ada"
        book = await new_book(client)
        changed = await client.patch(f"books/{book['id']}", json={"pages": 2})
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        assert (await client.delete(f"books/{book['id']}")).status_code == 204


async def test_a_dependency_may_raise_our_own_errors() -> None:
    """`UnauthenticatedError` from a dependency is a problem with its header."""

    async def nobody() -> None:
        raise UnauthenticatedError("Nobody may.")

    app = FastAPI()
    app.include_router(book_resource().router, dependencies=[Depends(nobody)])
    async with serve(app) as client:
        answer = await client.get("books")
    assert (answer.status_code, answer.json()["detail"]) == (401, "Nobody may.")
    assert answer.headers["www-authenticate"] == "Bearer"


REFUSALS: list[tuple[str, str, bytes | None, str | None]] = [
    ("POST", "books", b"{", "application/json"),
    ("POST", "books", b"", "application/json"),
    ("POST", "books", b'{"title": "a", "title": "b"}', "application/json"),
    ("POST", "books", b'{"title": NaN}', "application/json"),
    ("POST", "books", b'{"title": "\xff"}', "application/json"),
    ("POST", "books", b"[" * 100_000, "application/json"),
    ("POST", "books", b'{"title": "a", "pages": 1e99999999}', "application/json"),
    ("POST", "books", b'{"title": "a", "pages": ' + b"9" * 5000 + b"}", "application/json"),
    ("POST", "books", b'{"title": "\\ud800"}', "application/json"),
    ("POST", "books", b"[]", "application/json"),
    ("POST", "books", b"{}", "application/json"),
    ("POST", "books", b'{"title": 1, "nothing": 2}', "application/json"),
    ("POST", "books", b"title=a", "application/x-www-form-urlencoded"),
    ("POST", "books", b'{"title": "a"}', None),
    ("POST", "books?a=1", b'{"title": "a"}', "application/json"),
    ("PATCH", "books/1", b'{"pages": null}', "application/json"),
    ("PATCH", "books/0", b"{}", "application/json"),
    ("PATCH", "books/1", b"null", "application/json"),
    ("PUT", "books/7", b'{"title": "a"}', "application/json"),
    ("GET", "books?page=0", None, None),
    ("GET", "books?title=%FF", None, None),
    ("GET", "books/x", None, None),
    ("DELETE", "books/7", None, None),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "media"), REFUSALS, ids=[f"{m} {p} {b!r:.24}" for m, p, b, _ in REFUSALS]
)
async def test_both_ways_refuse_alike(method: str, path: str, body: bytes | None, media: str | None) -> None:
    """The user's dependencies send a route FastAPI's ordinary way, which changes no answer."""
    found = []
    for app in (FastAPI(), FastAPI(dependencies=[Depends(who)])):
        app.include_router(book_resource().router)
        async with serve(app) as client:
            headers = {"x-name": "Ada", **({"content-type": media} if media else {})}
            answer = await client.request(method, path, content=body, headers=headers)
            document = answer.json()
            places = sorted(fault.get("pointer", fault.get("parameter")) for fault in document.get("errors", []))
            found.append((answer.status_code, answer.headers["content-type"], document["code"], places))
    assert found[0] == found[1]


async def test_values_with_a_fraction_are_exact_both_ways() -> None:
    """A price with eighteen digits loses none on FastAPI's ordinary way either."""
    for app in (FastAPI(), FastAPI(dependencies=[Depends(who)])):
        app.include_router(book_resource().router)
        async with serve(app) as client:
            answer = await client.post(
                "books",
                content=b'{"title": "a", "price": 12345678.90}',
                headers={"x-name": "a", "content-type": "application/json"},
            )
            assert b'"price":12345678.90' in answer.content


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
async def test_of_two_routes_the_first_one_answers(first: bool) -> None:
    """`/books/best` is the user's when it was declared before the resource, and else an id, as everywhere in FastAPI."""
    app, own = FastAPI(), APIRouter()

    @own.get("/books/best")
    async def best() -> dict[str, str]:
        return {"title": "Emma"}

    for router in (own, book_resource().router) if first else (book_resource().router, own):
        app.include_router(router)
    async with serve(app) as client:
        assert (await client.get("books/best")).status_code == (200 if first else 422)
        assert (await client.get("books/worst")).status_code == 422


@pytest.mark.parametrize("path", ["/books", "/books/1", "/books/1/restore"])
async def test_what_a_user_mounts_before_a_resource_goes_first(path: str) -> None:
    """A mount takes every path below it and a plain route its own, whatever is registered after them."""
    app = FastAPI()
    app.mount("/books/", PlainTextResponse("mounted"))
    app.add_api_route("/books", lambda: "mine")
    app.include_router(book_resource().router)
    async with serve(app) as client:
        assert (await client.get(path)).text == ('"mine"' if path == "/books" else "mounted")


async def test_a_users_pattern_before_a_resource_goes_first() -> None:
    """A route of the user's that matches, and was declared first, answers, as everywhere in FastAPI."""
    app = FastAPI()

    @app.get("/books/{name:path}")
    async def anything(name: str) -> dict[str, str]:
        return {"name": name}

    app.include_router(book_resource().router)
    async with serve(app) as client:
        assert (await client.get("books/1")).json() == {"name": "1"}
        assert (await client.get("books")).json()["total"] == 0


async def test_a_session_of_the_users_commits_by_hand(database_url: str) -> None:
    """S47, S69: `get_db` stores what was committed and nothing else, and a database's refusal is a problem."""
    app = FastAPI()
    app.include_router(Resource(Publisher).router)
    sessions: list[AsyncSession] = []

    @app.post("/own/{name}")
    async def own(name: str, session: Annotated[AsyncSession, Depends(get_db)], commit: bool = True) -> dict[str, int]:
        sessions.append(session)
        session.add(Publisher(name=name))
        await session.flush()
        if commit:
            await session.commit()
        return {"count": await session.scalar(sa.select(sa.func.count()).select_from(Publisher)) or 0}

    async with serve(app, database_url) as client:
        assert (await client.post("own/one")).json() == {"count": 1}
        assert (await client.post("own/two?commit=false")).json() == {"count": 2}
        refused = await client.post("own/one")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/name")
        assert (await client.get("publishers")).json()["total"] == 1
        assert not any(session.in_transaction() for session in sessions)
        assert (await new_publisher(client, "two"))["name"] == "two"


async def test_a_sync_session_of_the_users_commits_by_hand(database_url: str) -> None:
    """S25: a plain `def` endpoint has a sync session on the same database, in a thread."""
    app = FastAPI()
    app.include_router(Resource(Publisher).router)

    @app.post("/own/{name}")
    def own(name: str, session: Annotated[Session, Depends(get_sync_db)], commit: bool = True) -> dict[str, str]:
        publisher = Publisher(name=name)
        session.add(publisher)
        session.flush()
        if commit:
            session.commit()
        return {"name": publisher.name}

    async with serve(app, database_url) as client:
        assert (await client.post("own/one")).json() == {"name": "one"}
        assert (await client.post("own/two?commit=false")).json() == {"name": "two"}
        refused = await client.post("own/one")
        assert (refused.status_code, refused.json()["code"]) == (409, "CLN410")
        assert [row["name"] for row in (await client.get("publishers")).json()["publishers"]] == ["one"]


async def test_a_mounted_application_answers_under_its_mount() -> None:
    """Mounted, or behind a proxy's prefix, the resource answers, and its places carry the prefix."""
    inner, outer = FastAPI(), FastAPI()
    inner.include_router(book_resource().router)
    outer.mount("/inner", inner)
    async with serve(inner), client_of(outer, "/inner/") as client:
        answer = await client.post("books", json={"title": "Emma"})
        assert (answer.status_code, answer.headers["location"]) == (201, "/inner/books/1")
        assert (await client.get("books/1")).status_code == 200
        assert (await client.get("books/2")).json()["instance"] == "/inner/books/2"


async def test_middleware_of_the_users_sees_every_request() -> None:
    """What the user wraps around an application stands around resources as well."""
    app, seen = FastAPI(), []

    @app.middleware("http")
    async def watch(request: Any, call_next: Any) -> Any:
        seen.append(request.url.path)
        return await call_next(request)

    app.include_router(book_resource().router)
    async with serve(app) as client:
        await client.get("books")
        await client.get("books/1")
    assert seen == ["/books", "/books/1"]
