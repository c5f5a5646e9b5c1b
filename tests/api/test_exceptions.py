"""What endpoints of the user's own and FastAPI itself raise, and whose answers become problem documents by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException

from colonnade import Database, ProblemError, answer_with_problems
from tests.library import Shelf, book_resource, client_of, installed, library_app, problem

pytestmark = pytest.mark.anyio

HEADERS = {"WWW-Authenticate": 'Basic realm="shop"'}


def own_routes(app: FastAPI) -> FastAPI:
    """Add an endpoint of the user's that raises what it is told, and one with a typed parameter."""
    details: dict[str, Any] = {"text": "Short and stout.", "object": {"reason": "stout", "of": [1, 2]}, "list": ["a"]}

    @app.get("/raise/{status}/{kind}")
    async def fail(status: int, kind: str) -> None:
        raise HTTPException(status, details[kind], headers=HEADERS if status == 401 else None)

    @app.get("/own-error")
    async def own_error() -> None:
        raise type("SoldOutError", (ProblemError,), {"code": "SHOP7", "status": 409, "title": "Sold out"})

    return app


@asynccontextmanager
async def everywhere() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application whose every refusal is a problem."""
    async with client_of(own_routes(library_app(Database("sqlite://", metadata=Shelf.metadata))), "/") as client:
        yield client


@asynccontextmanager
async def beside(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application of the user's that took a resource in."""
    app.include_router(book_resource().router)
    database = await installed(own_routes(app), "sqlite://")
    async with client_of(app, "/") as client:
        yield client
    await database.dispose()


async def test_a_text_is_the_detail() -> None:
    """`HTTPException(409, "...")` is a problem with that text, without a page: its type is `about:blank`."""
    async with everywhere() as client:
        shown = (await client.get("raise/409/text")).json()
    assert {key: shown[key] for key in ("type", "title", "status", "detail", "code")} == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Short and stout.",
        "code": "HTTP409",
    }


@pytest.mark.parametrize(("kind", "data"), [("object", {"reason": "stout", "of": [1, 2]}), ("list", ["a"])])
async def test_a_detail_that_is_no_text_stays_json(kind: str, data: object) -> None:
    """What an endpoint gives beside a text stands in `data`; nobody reads Python's words for it."""
    async with everywhere() as client:
        shown = (await client.get(f"raise/418/{kind}")).json()
    assert (shown["data"], shown["detail"]) == (data, "I'm a Teapot.")


async def test_a_status_of_ours_has_its_page() -> None:
    """`HTTPException(403)` is what `ForbiddenError` is."""
    async with everywhere() as client:
        assert problem(await client.get("raise/403/text"), 403)["code"] == "CLN301"


@pytest.mark.parametrize("status", [100, 204, 205, 304])
async def test_a_status_without_a_body_is_answered_without_one(status: int) -> None:
    """RFC 9110 §6.4.1: a client reads none after these, and would take one for the beginning of the next answer."""
    async with everywhere() as client:
        answer = await client.get(f"raise/{status}/text")
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers.get("content-length", "0") == "0"
    assert "content-type" not in answer.headers


async def test_an_endpoints_own_headers_stay() -> None:
    """An endpoint that asks for another way to sign in is heard."""
    async with everywhere() as client:
        answer = await client.get("raise/401/text")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, HEADERS["WWW-Authenticate"])


async def test_an_error_of_the_users_own_has_no_page() -> None:
    """A `ProblemError` of the application's keeps its code and title, and leads to no page that is not there."""
    async with everywhere() as client:
        shown = (await client.get("own-error")).json()
    assert (shown["type"], shown["code"], shown["title"]) == ("about:blank", "SHOP7", "Sold out")


OWN = [
    ("raise/418/text", 418, "Short and stout."),
    ("raise/418/object", 418, {"reason": "stout", "of": [1, 2]}),
    ("nowhere", 404, "Not Found"),
]


@pytest.mark.parametrize(("path", "status", "detail"), OWN)
async def test_an_existing_applications_own_answers_stay(path: str, status: int, detail: object) -> None:
    """`install` changes nothing of what the clients of an existing application know."""
    async with beside(FastAPI()) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


async def test_an_existing_applications_own_422_stays() -> None:
    """Its parameters are refused in FastAPI's shape, a list of what is wrong."""
    async with beside(FastAPI()) as client:
        answer = await client.get("raise/many/text")
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["path", "status"])


async def test_a_resource_in_an_existing_application_answers_with_problems() -> None:
    """The resource's own refusals are problems, whoever raises them: a dependency of the user's too."""

    async def nobody() -> None:
        raise HTTPException(403, "Nobody may.")

    async with beside(FastAPI()) as client:
        assert (await client.get("books/7")).json()["code"] == "CLN400"
    async with beside(FastAPI(dependencies=[Depends(nobody)])) as client:
        answer = await client.get("books/7")
    assert (answer.json()["code"], answer.headers["content-type"]) == ("CLN301", "application/problem+json")


@pytest.mark.parametrize(
    ("path", "code"), [("raise/418/text", "HTTP418"), ("nowhere", "CLN110"), ("raise/many/text", "CLN200")]
)
async def test_an_existing_application_may_choose_problems(path: str, code: str) -> None:
    """`answer_with_problems` has all of its refusals said as problems."""
    app = FastAPI()
    answer_with_problems(app)
    async with beside(app) as client:
        answer = await client.get(path)
    assert (answer.json()["code"], answer.headers["content-type"]) == (code, "application/problem+json")
