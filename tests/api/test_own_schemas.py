"""A resource with the user's own Pydantic schemas: what their bodies take over HTTP, and where a refusal points."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from colonnade import Resource, Schemas
from tests.library import Book, Json, client_of, installed

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]


class BookIn(BaseModel):
    """As guide B writes one: plain annotations."""

    title: str = Field(min_length=1, max_length=20)
    pages: int = 1
    price: Decimal | None = Field(None, gt=0)
    weight: float | None = None
    featured: bool = False
    extra: dict[str, int | str] | None = None


class LaxBookIn(BookIn):
    """One that wants what Pydantic makes of a value."""

    model_config = ConfigDict(strict=False)
    pages: Annotated[int, Field(strict=False)] = 1


def served(schema: type[BaseModel], *, ordinary: bool) -> FastAPI:
    """Make an application of books by a schema, answered directly or through FastAPI's dependencies."""
    app = FastAPI(dependencies=[Depends(lambda: None)] if ordinary else [])
    app.include_router(Resource(Book, schemas=Schemas(create=schema, update=schema)).router)
    return app


@pytest.mark.parametrize("ordinary", [False, True], ids=["direct", "ordinary"])
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"pages": True}, "/pages"),
        ({"pages": "5"}, "/pages"),
        ({"price": True}, "/price"),
        ({"weight": "1.5"}, "/weight"),
        ({"featured": "off"}, "/featured"),
        ({"featured": 1}, "/featured"),
        ({"extra": {"a": True}}, "/extra/a"),
    ],
    ids=str,
)
async def test_no_kind_is_taken_for_another(body: Json, place: str, ordinary: bool) -> None:
    """S77: `true` is no number and `"off"` no truth value; the refusal points at the value, on both ways."""
    app = served(BookIn, ordinary=ordinary)
    database = await installed(app, "sqlite://")
    async with client_of(app, "/") as client:
        for answer in (
            await client.post("books", json={"title": "Emma", **body}),
            await client.patch("books/1", json={"title": "Emma", **body}),
        ):
            document = answer.json()
            assert (answer.status_code, document["code"]) == (422, "CLN201")
            assert {fault["pointer"] for fault in document["errors"]} == {place}
        many = await client.post("books/bulk", json={"items": [{"title": "a"}, {"title": "Emma", **body}]})
        assert {fault["pointer"] for fault in many.json()["errors"]} == {f"/items/1{place}"}
    await database.dispose()


@pytest.mark.parametrize("price", ["5", "19.9", '"19.90"', "12345678.9"])
async def test_a_price_is_a_number_or_a_text(price: str) -> None:
    """S48: guide B's price comes as a JSON number; a text keeps every digit of clients whose numbers are doubles."""
    app = served(BookIn, ordinary=False)
    database = await installed(app, "sqlite://")
    async with client_of(app, "/") as client:
        headers = {"content-type": "application/json"}
        answer = await client.post("books", content=f'{{"title": "a", "price": {price}}}', headers=headers)
    assert (answer.status_code, answer.json()["price"]) == (201, float(price.strip('"')))
    await database.dispose()


async def test_a_schema_may_be_lax() -> None:
    """`strict=False` in a schema's configuration leaves it as Pydantic is."""
    app = served(LaxBookIn, ordinary=False)
    database = await installed(app, "sqlite://")
    async with client_of(app, "/") as client:
        answer: httpx.Response = await client.post("books", json={"title": "Emma", "pages": "5", "featured": "off"})
    assert (answer.status_code, answer.json()["pages"], answer.json()["featured"]) == (201, 5, False)
    await database.dispose()


class StrictBookIn(BookIn):
    """One that wants what it gets anyhow, and JSON's forms with it."""

    model_config = ConfigDict(strict=True)
    printed: date | None = None


@pytest.mark.parametrize("ordinary", [False, True], ids=["direct", "ordinary"])
async def test_a_schema_declared_strict_takes_what_json_has(ordinary: bool) -> None:
    """Pydantic alone would want a date of Python's, which no body can bring."""
    app = served(StrictBookIn, ordinary=ordinary)
    database = await installed(app, "sqlite://")
    async with client_of(app, "/") as client:
        answer = await client.post("books", json={"title": "Emma", "printed": "1815-12-23", "price": 5})
    assert (answer.status_code, answer.json()["printed"]) == (201, "1815-12-23")
    await database.dispose()


async def test_what_is_missing_is_pointed_at() -> None:
    """A field that is not there has a place all the same."""
    app = served(BookIn, ordinary=False)
    database = await installed(app, "sqlite://")
    async with client_of(app, "/") as client:
        assert [fault["pointer"] for fault in (await client.post("books", json={})).json()["errors"]] == ["/title"]
    await database.dispose()
