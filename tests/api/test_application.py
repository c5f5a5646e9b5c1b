"""The application around the resources: wrapper, commit before response, one session a request, start and indexes."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from colonnade import Database, IntegerId, Listing, PoolSettings, Resource, Schemas, Settings, create_app, get_db
from colonnade.api.route_template import route_template
from colonnade.core.errors import ConflictError, DatabaseAwayError, DeclarationError
from colonnade.database.driver import Outcome, Statement
from colonnade.query.compile import compile_statement
from colonnade.query.parse import parse_list
from colonnade.query.plan import list_values, plan_list

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    """A base of this file alone."""


class Note(IntegerId, Base):
    """A text, and one that is nobody's business."""

    __tablename__ = "notes"
    text: Mapped[str] = mapped_column(sa.String(50), index=True)
    margin: Mapped[str] = mapped_column(sa.String(50), default="in pencil")


class NoteResponse(BaseModel):
    """What is shown of a note."""

    id: int
    text: str


def _notes() -> Resource:
    return Resource(Note, schemas=Schemas(response=NoteResponse), listing=Listing(filters=["text"], sorts=["text"]))


def _settings(**given: Any) -> Settings:
    return Settings(env="test", _env_file=None, **given)


@asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notes")
    async with app.router.lifespan_context(app), client:
        yield client


async def test_an_answer_is_the_row_itself(database_url: str) -> None:
    """S16, S68: without the wrapper the response schema decides, alone, what stands in the body."""
    app = create_app([_notes()], database=Database(database_url, metadata=Base.metadata), settings=_settings())
    async with _served(app) as client:
        created = await client.post("/api/notes", json={"text": "a"})
        assert created.json() == {"id": 1, "text": "a"}
        listed = await client.get("/api/notes")
        assert listed.json() == {"notes": [{"id": 1, "text": "a"}], "total": 1, "page": 1, "page_size": 10}


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("ordinary", [False, True], ids=["direct", "through a dependency"])
async def test_the_wrapper_surrounds_what_succeeds(database_url: str, ordinary: bool) -> None:
    """S15: `{success, data, error, metadata}` around a success, the status as it was; a problem is no success."""
    database = Database(database_url, metadata=Base.metadata)
    app = create_app([_notes()], database=database, settings=_settings(response_wrapper=True), version="3.2.1")
    if ordinary:
        app.dependency_overrides[object] = object  # any override sends every route FastAPI's ordinary way
    async with _served(app) as client:
        created = await client.post("/api/notes", json={"text": "a"})
        body = created.json()
        assert (created.status_code, body["success"], body["error"]) == (201, True, None)
        assert body["data"] == {"id": 1, "text": "a"}
        assert body["metadata"]["version"] == "3.2.1"
        assert body["metadata"]["timestamp"].endswith("Z")
        missing = await client.get("/api/notes/9")
        assert (missing.status_code, missing.json()["code"]) == (404, "CLN400")
        gone = await client.delete("/api/notes/1")
        assert (gone.status_code, gone.content) == (204, b"")


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_a_row_is_there_when_its_answer_begins(database_url: str) -> None:
    """S67, C1: another connection reads the new row at the moment in which the response's first byte is sent."""
    database = Database(database_url, metadata=Base.metadata)
    app = create_app([_notes()], database=database, settings=_settings())
    seen: list[int] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def looking(message: Any) -> None:
            if message["type"] == "http.response.start" and scope["method"] == "POST":
                async with database.engine.connect() as connection:
                    seen.append((await connection.execute(sa.select(sa.func.count()).select_from(Note))).scalar_one())
            await send(message)

        await app(scope, receive, looking)

    client = httpx.AsyncClient(transport=httpx.ASGITransport(watched), base_url="http://notes")
    async with app.router.lifespan_context(app), client:
        for number in range(1, 4):
            assert (await client.post("/api/notes", json={"text": "a"})).status_code == 201
            assert seen[-1] == number


async def test_a_commit_that_fails_is_no_201(database_url: str) -> None:
    """C1: when the database refuses the commit, the client is told so, and nothing is stored."""
    database = Database(database_url, metadata=Base.metadata)
    app = create_app([_notes()], database=database, settings=_settings())
    async with _served(app) as client:
        commit = database.driver.commit

        async def refused(statements: list[Statement]) -> list[Outcome]:
            raise ConnectionResetError("in the middle of COMMIT")

        database.driver.commit = refused  # type: ignore[method-assign, assignment]
        answer = await client.post("/api/notes", json={"text": "a"})
        assert answer.status_code in {500, 503}
        database.driver.commit = commit  # type: ignore[method-assign]
        assert (await client.get("/api/notes")).json()["total"] == 0


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_each_request_has_a_session_of_its_own(database_url: str) -> None:
    """S38: one engine and one factory for the application, a new session for every request, closed after it."""
    database = Database(database_url, metadata=Base.metadata)
    app = create_app([_notes()], database=database, settings=_settings())
    sessions: list[AsyncSession] = []

    @app.get("/look")
    async def look(session: Annotated[AsyncSession, Depends(get_db)]) -> dict[str, bool]:
        await session.execute(sa.select(Note))
        sessions.append(session)
        return {"in_transaction": session.in_transaction()}

    async with _served(app) as client:
        assert [(await client.get("/look")).json() for _ in range(2)] == [{"in_transaction": True}] * 2
    assert sessions[0] is not sessions[1]
    assert not any(session.in_transaction() for session in sessions)


async def test_a_database_that_is_away_is_said_at_the_start(tmp_path: Path) -> None:
    """S22: the application does not start, and the text names the database without its password."""
    url = "postgresql://clerk:hunter2@127.0.0.1:1/books"
    app = create_app([_notes()], database=Database(url, pool=PoolSettings(timeout=1)), settings=_settings())
    with pytest.raises(DatabaseAwayError) as raised:
        async with app.router.lifespan_context(app):
            raise AssertionError("it started")
    assert "127.0.0.1:1/books" in str(raised.value)
    assert "hunter2" not in str(raised.value)


async def test_in_production_the_collector_leaves_alone_what_stays(thawed: None) -> None:
    """What the start made is frozen until the end; a second application in the process neither adds to it nor ends it."""

    def production() -> FastAPI:
        settings = Settings(env="production", database_url="sqlite://", secret_key="k" * 32, jobs=False, _env_file=None)
        return create_app([_notes()], database=Database("sqlite://", metadata=Base.metadata), settings=settings)

    async with _served(production()):
        frozen = gc.get_freeze_count()
        assert frozen > 0
        async with _served(production()):
            pass
        assert 0 < gc.get_freeze_count() <= frozen  # what was frozen may still be let go of
    assert gc.get_freeze_count() == 0


@pytest.fixture
def thawed() -> Iterator[None]:
    """Have the collector look at everything, as in a process that is no test's."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("query", [b"text=a", b"sort=text&limit=5", b"limit=5"])
async def test_declared_filters_and_sorts_use_their_index(database_url: str, query: bytes) -> None:
    """S82: the plan of a list searches an index, or walks one in order; it neither scans nor sorts the table."""
    database = Database(database_url, metadata=Base.metadata)
    await database.start(create_tables=True)
    notes = _notes()
    request = parse_list(query, notes.rules)
    statement = plan_list(notes.reader.whole, request).statement
    assert statement is not None
    bound = compile_statement(statement, database.dialect).bind(list_values(request))
    async with database.engine.connect() as connection:
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {bound.sql}", bound.arguments)
        steps = " ".join(row[3] for row in plan)
    assert "TEMP B-TREE" not in steps
    assert "USING" in steps or query == b"limit=5"
    await database.dispose()


async def test_methods_are_told_below_a_root_path() -> None:
    """Behind a proxy that adds a path: OPTIONS, `Allow` and the template of a route are what they are without it."""
    app = create_app([], database=Database("sqlite://"), settings=_settings())

    @app.get("/rooms/{name}")
    async def room(name: str, request: Request) -> str | None:
        return route_template(request.scope)

    transport = httpx.ASGITransport(app, root_path="/shop")
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test/shop/") as client:
        told = await client.options("rooms/a")
        assert (told.status_code, told.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        refused = await client.post("rooms/a")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert (await client.get("rooms/a")).json() == "/rooms/{name}"


async def test_middleware_of_the_users_stands_inside_ours() -> None:
    """`create_app(middleware=[...])`: as FastAPI takes it; what it raises is still a problem with the request's id."""

    class Teapot:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise ConflictError("Short and stout.")

    app = create_app([], database=Database("sqlite://"), settings=_settings(), middleware=[Middleware(Teapot)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as client:
        answer = await client.get("/health")
    assert (answer.status_code, answer.json()["detail"]) == (409, "Short and stout.")
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize("name", ["docs_url", "redoc_url", "redirect_slashes"])
def test_what_the_application_decides_itself_is_told(name: str) -> None:
    """Not a TypeError about an argument that nobody here has written twice."""
    with pytest.raises(DeclarationError, match=f"create_app decides {name} itself"):
        create_app([], database=Database("sqlite://"), settings=_settings(), **{name: None})
