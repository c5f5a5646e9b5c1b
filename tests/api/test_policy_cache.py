"""Cached answers are for those only who may see them, whoever has asked before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from colonnade import Cache, Database, Listing, Resource, Routes, Schemas
from tests.magazine import (
    ADA,
    ADMIN,
    ARTICLES,
    BOB,
    ROWS,
    Article,
    ArticleShown,
    AuthorShown,
    Printed,
    client_of,
    magazine_app,
    magazine_resources,
    status,
    titles,
)

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[FastAPI]:
    """The articles alone, cached; the policy of their authors counts all the same, whatever test was first."""
    magazine_resources()
    articles = Resource(
        Article,
        schemas=Schemas(response=ArticleShown),
        listing=Listing(includes={"author": AuthorShown}, deleted=True),
        routes=Routes(cache=Cache()),
        policy=ARTICLES,
    )
    database = Database(database_url, metadata=Printed.metadata)
    app = magazine_app(database, [articles])
    async with app.router.lifespan_context(app):
        async with database.engine.begin() as connection:
            for model, rows in ROWS.items():
                await connection.execute(sa.insert(model), rows)
        yield app


async def test_nobody_is_given_what_another_was_shown(app: FastAPI) -> None:
    """S30: per principal where policy says so, whoever has asked before."""
    wanted = {
        ADMIN: ["Engines", "Drafts", "Boats", "Secrets"],
        "": ["Engines", "Boats"],
        ADA: ["Engines", "Drafts", "Boats"],
        BOB: ["Engines", "Boats", "Secrets"],
    }
    for _ in range(2):
        for account, found in wanted.items():
            async with client_of(app, account) as client:
                assert await titles(client) == found
                include = "include=author" if account else ""  # authors are shown to whoever has signed in
                rows = (await client.get(f"articles?{include}")).json()["articles"]
                assert all(("rating" in row) == (account == ADMIN) for row in rows)
                assert await status(client, "GET", f"articles/4?{include}") == (200 if "Secrets" in found else 404)


@pytest.mark.parametrize("question", ["deleted=only", "%64eleted=only"])
async def test_deleted_rows_do_not_come_out_of_the_cache(app: FastAPI, question: str) -> None:
    """S74: the permission that they need is asked for each time."""
    async with client_of(app, ADMIN) as admin, client_of(app, ADA) as ada, client_of(app) as anybody:
        assert await status(admin, "DELETE", "articles/3") == 204
        assert await titles(admin, question) == ["Boats"]
        assert await titles(ada, question) == []
        assert await status(anybody, "GET", f"articles?{question}") == 401
