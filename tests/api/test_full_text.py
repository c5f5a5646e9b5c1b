"""Full-text search: words by the database's own index, on every database and on both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from colonnade import (
    Base,
    Change,
    Database,
    DeclarationError,
    IntegerId,
    Listing,
    Resource,
    Routes,
    Service,
    Settings,
    SoftDelete,
    UUIDv7Id,
    create_app,
    full_text,
)
from colonnade.models.base import NAMING_CONVENTION
from tests.library import client_of, create, places
from tests.plans import analyze, noted, plan_of
from tests.shop import new_product

pytestmark = pytest.mark.anyio

SETTINGS = Settings(env="test", _env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it
ODD = [
    "'",
    '"',
    '""',
    "\\",
    "*",
    "%",
    "_",
    "lamp*",
    '"lamp',
    "lamp AND",
    "NOT",
    "OR lamp",
    "-lamp",
    "+",
    "(",
    ")",
    "{a}",
]
ODD += [
    "^lamp",
    "lamp:",
    "name:lamp",
    "NEAR(a b)",
    "a" * 200,
    "é" * 200,
    "ı İ ß ﬃ",
    "🜚 🜚",
    "\u0301",
    "~",
    "@",
    "<b>",
    "&amp;",
]
ODD += [
    "lamp;--",
    "x' OR 1=1 --",
    "\u202e",
    "\t",
    "\r\n",
    "–",
    "$1",
    "%s",
    ":q",
    "?",
    "!!!",
    "' ' '",
    "`",
    "a\u0000b"[:1],
]


class Attic(Base):
    """The base of these models; their tables are no part of `Base.metadata`."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Relic(IntegerId, SoftDelete, Attic):
    """Has words in two columns."""

    __tablename__ = "relics"
    __table_args__ = (full_text("name", "story"),)

    name: Mapped[str] = mapped_column(sa.String(100))
    tale: Mapped[str | None] = mapped_column("story", sa.Text)
    size: Mapped[int] = mapped_column(default=1)


class Seeing(Service):
    """Sends reads and changes the ORM's way."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Look at nothing."""

    async def before_create(self, change: Change) -> None:
        """Change nothing."""

    async def before_update(self, change: Change) -> None:
        """Change nothing."""


def relics(service: Service | None = None) -> Resource:
    """Declare the resource."""
    listing = Listing(search=["name", "tale"], filters=["size"], sorts=["id", "size", "name"], deleted=True)
    return Resource(Relic, listing=listing, service=service, routes=Routes(permanent_delete=True, upsert=()))


@pytest.fixture(params=[Service, Seeing], ids=["compiled", "orm"])
async def client(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the relics, read one way or the other."""
    app = create_app(
        [relics(request.param())], database=Database(database_url, metadata=Attic.metadata), settings=SETTINGS
    )
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def found(client: httpx.AsyncClient, q: str, **query: str) -> list[int]:
    """Give the ids that a search finds."""
    answer = await client.get("relics", params={"q": q, "sort": "id", **query})
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["relics"]]


async def test_q_finds_words_in_any_case(client: httpx.AsyncClient) -> None:
    """Each word has to be in one of the columns; case, order and punctuation do not count, and nothing is an operator."""
    await create(client, "relics", name="Desk LAMP", tale="Brass, with a green shade.")
    await create(client, "relics", name="Ÿ. ÉCLAIR-tin", tale="Of the TV's owner, user@example.com; foo_bar 3.50 a/b")
    await create(client, "relics", name="Lampshade")
    expected = {
        "lamp ": [1],
        "Lamp green": [1],
        "GREEN, lamp!": [1],
        "lamp eclair": [],
        "éclair": [2],
        "Éclair-TIN": [2],
        "tin éclair": [2],
        "example": [2],
        "bar": [2],
        "tv": [2],
        "the tv": [2],
        "with a lamp": [1],
        "a.": [1, 2],
        "50": [2],
        "lamp or éclair": [],
        "-lamp!": [1],
        "lampshade": [3],
        "lam ": [],
        "amp": [],
    }
    assert {q: await found(client, q) for q in expected} == expected


async def test_the_last_word_may_be_unfinished(client: httpx.AsyncClient) -> None:
    """What is still being typed finds the words that begin so, short or long; what a sign stands behind is whole."""
    await create(client, "relics", name="Desk LAMP", tale="Brass, with a green shade.")
    await create(client, "relics", name="Lampshade", tale="Crème e\u0301clair, No. 1234½ of 2x²y")
    await create(client, "relics", name="Lam", tale="Of Ox")
    expected = {
        "la": [1, 2, 3],
        "L": [1, 2, 3],
        "lam": [1, 2, 3],
        "lamp": [1, 2],
        "lamps": [2],
        '"lamp"': [1],
        "lam*": [1, 2, 3],
        "lam *": [3],
        "lam?": [3],
        "lam shad": [],
        "gre lamp": [],
        "green la": [1],
        "crè": [2],
        "e\u0301cl": [2],
        "123": [2],
        "1234½": [2],
        "2x²": [2],
        "o": [2, 3],
        "ox": [3],
        "oxe": [],
    }
    assert {q: await found(client, q) for q in expected} == expected


async def test_the_index_follows_every_change(client: httpx.AsyncClient) -> None:
    """What is created, changed, deleted, restored and purged, one by one or in bulk, is found as it is, and totals agree."""
    assert (await create(client, "relics", name="one"))["id"] == 1
    await client.post("relics/bulk", json={"items": [{"name": "two"}, {"name": "three", "tale": "two"}]})
    assert await found(client, "two") == [2, 3]
    await client.patch("relics/3", json={"tale": "four"})
    assert (await found(client, "two"), await found(client, "four")) == ([2], [3])
    await client.patch("relics/bulk", json={"ids": [1, 2], "set": {"tale": "five"}})
    assert await found(client, "five") == [1, 2]
    await client.delete("relics/1")
    assert await found(client, "five") == [2]
    assert (await client.get("relics?q=five&count=exact&page_size=1")).json()["total"] == 1
    assert await found(client, "five", deleted="include") == [1, 2]
    await client.post("relics/1/restore")
    assert await found(client, "five") == [1, 2]
    await client.delete("relics/1?permanent=true")
    assert await found(client, "five", deleted="include") == [2]


async def test_a_search_is_paged_filtered_counted_and_walked_as_any_list(client: httpx.AsyncClient) -> None:
    """Pages, filters, totals and cursors mean the same under `q`."""
    items = [{"name": f"Lamp {number}", "size": number % 3} for number in range(30)]
    await client.post("relics/bulk", json={"items": [*items, {"name": "Chair", "size": 1}]})
    page = (await client.get("relics?q=lamp&size=1&page=2&page_size=4&sort=-id")).json()
    assert (page["total"], [row["id"] for row in page["relics"]]) == (10, [17, 14, 11, 8])
    walked: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        step = (
            await client.get("relics", params={"q": "lamp", "sort": "-size", "cursor": cursor, "limit": "7"})
        ).json()
        walked += [row["id"] for row in step["relics"]]
        cursor = step["next_cursor"]
    assert (len(walked), set(walked)) == (30, set(range(1, 31)))


async def test_odd_input_is_no_error(client: httpx.AsyncClient) -> None:
    """Quotes, operators, wildcards, long and strange texts are looked for and answered 200; what has no word, literally."""
    await create(client, "relics", name="50 % off!!! – lamp")
    for q in ODD:
        await found(client, q)
    assert await found(client, "!!!") == [1]
    assert await found(client, "–") == [1]
    assert places(await client.get("relics?q=%00"), 422) == ["q"]


@pytest.mark.parametrize("client", [Service], indirect=True, ids=["compiled"])
async def test_the_documentation_says_that_words_are_looked_for(client: httpx.AsyncClient) -> None:
    """OpenAPI says that `q` is words, and of which fields."""
    document = (await client.get("http://library.test/openapi.json")).json()
    parameters = {one["name"]: one for one in document["paths"]["/api/v1/relics"]["get"]["parameters"]}
    assert parameters["q"]["description"].startswith(
        "Words to look for, all of them, the last one as a beginning, in name, tale"
    )


@pytest.mark.databases("sqlite-memory", "postgresql", "mariadb")
async def test_other_fields_are_searched_literally(database_url: str) -> None:
    """Where the resource's fields are not those of the index, `q` is a text that stands anywhere in them."""
    only = Resource(Relic, listing=Listing(search=["name"], sorts=["id"]))
    app = create_app([only], database=Database(database_url, metadata=Attic.metadata), settings=SETTINGS)
    async with app.router.lifespan_context(app), client_of(app) as client:
        await create(client, "relics", name="Lampshade")
        assert await found(client, "shade") == [1]


@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_search_uses_the_index(database_url: str) -> None:
    """S82: the plan of a search for a rare word goes by the index, and reads no row that lacks the word."""
    database = Database(database_url, metadata=Attic.metadata)
    app = create_app([relics()], database=database, settings=SETTINGS)
    async with app.router.lifespan_context(app), client_of(app) as client:
        for start in range(0, 3000, 1000):
            names = [{"name": f"thing {start + number}"} for number in range(1000)]
            await client.post("relics/bulk", json={"items": names})
        await analyze(database, "relics")
        with noted(database) as ran:
            assert await found(client, "thing 1234 ") == [1235]
        plan = await plan_of(database, ran[0])
    if database.dialect.name == "sqlite":
        assert "VIRTUAL TABLE INDEX" in plan
        assert "SEARCH relics USING INTEGER PRIMARY KEY" in plan
    else:
        assert "Bitmap Index Scan on ix_relics_full_text" in plan


async def test_the_shop_finds_products_by_their_words(shop: httpx.AsyncClient) -> None:
    """The reference application's products are searched by the index."""
    await new_product(shop, "Reading lamp")
    await create(shop, "products", name="Box", description="For a lamp", price=1, quantity=1)
    await new_product(shop, "Lampshade")
    answer = await shop.get("products?q=Lamp&sort=name")
    assert [row["name"] for row in answer.json()["products"]] == ["Box", "Lampshade", "Reading lamp"]


@pytest.mark.parametrize(
    ("base", "columns"), [(IntegerId, ("size",)), (IntegerId, ("none",)), (UUIDv7Id, ("name",)), (IntegerId, ())]
)
def test_a_declaration_that_cannot_work_is_refused(base: type, columns: tuple[str, ...]) -> None:
    """What is no text column, or has no integer key, is told when the class is declared."""
    with pytest.raises(DeclarationError, match="full_text"):
        sa.Table(
            "t",
            sa.MetaData(),
            sa.Column("id", sa.Integer if base is IntegerId else sa.Uuid, primary_key=True),
            sa.Column("name", sa.String(5)),
            sa.Column("size", sa.Integer),
            full_text(*columns),
        )
