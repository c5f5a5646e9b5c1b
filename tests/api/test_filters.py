"""Filters through relations, boolean filters, and search: the same on both ways and every database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Database, DeclarationError, IntegerId, Listing, Resource, Service, Settings, create_app
from colonnade.models.base import NAMING_CONVENTION, Base
from tests.library import client_of, places, problem

pytestmark = pytest.mark.anyio


class Tree(Base):
    """The base of this file alone."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Country(IntegerId, Tree):
    """Where makers are."""

    __tablename__ = "countries"
    name: Mapped[str] = mapped_column(sa.String(20))


class Maker(IntegerId, Tree):
    """Makes things; may have no country."""

    __tablename__ = "makers"
    title: Mapped[str] = mapped_column("name", sa.String(20))
    country_id: Mapped[int | None] = mapped_column(sa.ForeignKey("countries.id"))
    country: Mapped[Country | None] = relationship(lazy="raise")
    things: Mapped[list[Heirloom]] = relationship(lazy="raise", back_populates="maker")


class Heirloom(IntegerId, Tree):
    """Is made; may have no maker, no size and no note."""

    __tablename__ = "things"
    name: Mapped[str] = mapped_column(sa.String(40))
    note: Mapped[str | None] = mapped_column(sa.Text)
    size: Mapped[int | None]
    count: Mapped[int] = mapped_column(default=0)
    worn: Mapped[bool] = mapped_column(default=False)
    maker_id: Mapped[int | None] = mapped_column("made_by", sa.ForeignKey("makers.id"))
    maker: Mapped[Maker | None] = relationship(lazy="raise", back_populates="things")
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("things.id"))
    parent: Mapped[Heirloom | None] = relationship(lazy="raise", remote_side="Heirloom.id")


class Idle(Service):
    """Wants to see the rows, so that they are read by the ORM, and leaves them as they are."""

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Do nothing."""


THINGS: list[dict[str, Any]] = [
    {"name": "Lamp", "note": "100% brass", "size": 1, "count": 5, "worn": False, "maker_id": 1, "parent_id": None},
    {"name": "lamp shade", "note": None, "size": None, "count": 0, "worn": True, "maker_id": 1, "parent_id": 1},
    {"name": "ÉTUI", "note": "a_b", "size": 3, "count": 5, "worn": False, "maker_id": 2, "parent_id": 2},
    {"name": "box", "note": "Lamp box", "size": 4, "count": 0, "worn": True, "maker_id": None, "parent_id": 1},
    {"name": "b\\ox", "note": "", "size": None, "count": 7, "worn": False, "maker_id": 3, "parent_id": None},
]
COUNTRIES = ["Norway", "Italy"]
MAKERS: list[dict[str, Any]] = [
    {"title": "Ann", "country_id": 1},
    {"title": "Bob", "country_id": 2},
    {"title": "Cy", "country_id": None},
]
LISTING = Listing(
    filters=["name", "note", "size", "count", "worn", "maker.title", "maker.country.name", "parent.name", "maker.id"],
    sorts=["id"],
    search=["name", "note"],
)


@pytest.fixture(params=[Service(), Idle()], ids=["compiled", "orm"])
def service(request: pytest.FixtureRequest) -> Service:
    """Choose the way."""
    return request.param  # type: ignore[no-any-return]


@lru_cache
def _resources(service: Service) -> Sequence[Resource]:
    makers = Listing(filters=["things.size", "things.maker.title"], search=["title", "country.name"])
    return Resource(Heirloom, listing=LISTING, service=service), Resource(Maker, listing=makers, service=service)


@pytest.fixture
async def client(database_url: str, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of five things, their makers and countries."""
    database = Database(database_url, metadata=Tree.metadata)
    app = create_app(_resources(service), database=database, settings=Settings(env="test", _env_file=None))
    async with app.router.lifespan_context(app), client_of(app) as client:
        async with database.unit_of_work() as unit:
            for rows in (
                [Country(name=name) for name in COUNTRIES],
                [Maker(**row) for row in MAKERS],
                [Heirloom(**row) for row in THINGS],
            ):
                for row in rows:
                    unit.session.add(row)
                    await unit.session.flush()
            await unit.commit()
        yield client


async def ids(client: httpx.AsyncClient, path: str = "things", **query: str) -> list[int]:
    """List the ids that a query finds; the total has to agree."""
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found = [row["id"] for row in answer.json()[path]]
    first = await client.get(path, params={**query, "page_size": "1"})
    assert first.json()["total"] == len(found)
    return found


async def test_filters_reach_through_relations(client: httpx.AsyncClient) -> None:
    """S51, S80: a row is found by what it refers to; what refers to nothing is found by none of it."""
    for query, found in {
        "maker.title=Ann": [1, 2],
        "maker.title__ne=Ann": [3, 5],
        "maker.title__in=Bob,Cy": [3, 5],
        "maker.title__icontains=B": [3],
        "maker.country.name=Norway": [1, 2],
        "maker.country.name__isnull=false": [1, 2, 3],
        "parent.name__contains=amp": [2, 3, 4],
        "parent.name=Lamp": [2, 4],
        "maker.id__gte=2": [3, 5],
        "maker.title=Ann&parent.name=Lamp": [2],
        "maker.title=Ann&maker.country.name=Italy": [],
        "size=3&maker.title=Bob": [3],
    }.items():
        pairs = dict(pair.split("=") for pair in query.split("&"))
        assert await ids(client, **pairs) == found, query


async def test_a_parent_is_found_by_any_of_its_children(client: httpx.AsyncClient) -> None:
    """S80: through a to-many relation a row is found when one of its rows fits, and once only."""
    assert await ids(client, "makers", **{"things.size__gte": "1"}) == [1, 2]
    assert await ids(client, "makers", **{"things.size__isnull": "true"}) == [1, 3]
    assert await ids(client, "makers", **{"things.maker.title": "Bob"}) == [2]


TREES: dict[str, Callable[[dict[str, Any]], bool]] = {
    '{"size": 1}': lambda row: row["size"] == 1,
    '{"size": "1"}': lambda row: row["size"] == 1,
    '{"size__gte": 1, "worn": true}': lambda row: (row["size"] or 0) >= 1 and row["worn"],
    '{"or": [{"size": 1}, {"worn": true}]}': lambda row: row["size"] == 1 or row["worn"],
    '{"not": {"size": 1}}': lambda row: row["size"] != 1,
    '{"not": {"size__ne": 1}}': lambda row: row["size"] in {1, None},
    '{"not": {"or": [{"size": 1}, {"size": 3}]}}': lambda row: row["size"] not in {1, 3},
    '{"not": {"not": {"size__gt": 1}}}': lambda row: (row["size"] or 0) > 1,
    '{"and": [{"count__eq": 5}, {"or": [{"size": 3}, {"name": "x"}]}]}': lambda row: (
        row["count"] == 5 and row["size"] == 3
    ),
    '{"or": [{"count__in": [5, 7], "worn": false}, {"name__startswith": "box"}]}': lambda row: (
        (row["count"] in {5, 7} and not row["worn"]) or row["name"].startswith("box")
    ),
    '{"count__between": [0, 5], "size__isnull": false}': lambda row: row["count"] <= 5 and row["size"] is not None,
    '{"name__in": "Lamp,box"}': lambda row: row["name"] in {"Lamp", "box"},
    '{"name__in": ["Lamp", "a,b"]}': lambda row: row["name"] == "Lamp",
    '{"maker.title": "Ann", "not": {"parent.name": "Lamp"}}': lambda row: (
        row["maker_id"] == 1 and row["parent_id"] != 1
    ),
    '{"not": {"maker.country.name": "Norway"}}': lambda row: row["maker_id"] != 1,
}


async def test_boolean_filters_are_trees(client: httpx.AsyncClient) -> None:
    """S80: and, or and not over any filter; what compares with NULL does not hold, and its `not` does."""
    for text, holds in TREES.items():
        wanted = [number for number, row in enumerate(THINGS, 1) if holds(row)]
        assert await ids(client, filter=text) == wanted, text


async def test_a_tree_joins_what_else_is_asked(client: httpx.AsyncClient) -> None:
    """S80: tree, single filters and search hold all at once, in pages and in walks alike."""
    tree = '{"or": [{"size": 1}, {"worn": true}]}'
    assert await ids(client, filter=tree, worn="true", q="LAMP") == [2, 4]
    step = (await client.get("things", params={"filter": tree, "cursor": "", "limit": "2"})).json()
    query = {"filter": tree, "cursor": step["next_cursor"]}
    assert [row["id"] for row in (await client.get("things", params=query)).json()["things"]] == [4]
    problem(await client.get("things", params={**query, "filter": '{"worn": true}'}), 400)


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("{", 400),
        ("{'size': 1}", 400),
        ('{"size": NaN}', 400),
        ('{"size": 1, "size": 2}', 400),
        ("[" * 100 + "]" * 100, 400),
        ("{}", 422),
        ("[]", 422),
        ("null", 422),
        ('"size"', 422),
        ('{"or": []}', 422),
        ('{"or": {}}', 422),
        ('{"or": [1]}', 422),
        ('{"or": [{}]}', 422),
        ('{"not": []}', 422),
        ('{"not": {}}', 422),
        ('{"nothing": 1}', 422),
        ('{"maker_id": 1}', 422),
        ('{"maker.country_id": 1}', 422),
        ('{"size": null}', 422),
        ('{"size": true}', 422),
        ('{"size": 1.5}', 422),
        ('{"size": {"gt": 1}}', 422),
        ('{"size": [1, 2]}', 422),
        ('{"name": 5}', 422),
        ('{"name": "\\u0000"}', 422),
        ('{"worn": 1}', 422),
        ('{"worn": "maybe"}', 422),
        ('{"count__in": []}', 422),
        ('{"count__in": ' + json.dumps(list(range(201))) + "}", 422),
        ('{"count__between": [1]}', 422),
        ('{"size": 1e400}', 422),
        ('{"not":' * 5 + '{"size": 1}' + "}" * 5, 422),
        ('{"or":[' + ",".join(['{"size": 1}'] * 51) + "]}", 422),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_tree_that_does_not_fit_is_refused(client: httpx.AsyncClient, text: str, status: int) -> None:
    """Broken JSON is 400; an unknown filter, an unfit value, too deep or too many are 422 and name the parameter."""
    answer = await client.get(f"things?filter={quote(text)}")
    if status == 400:
        problem(answer, 400)
    else:
        assert places(answer, 422) == ["filter"]


@pytest.mark.databases("sqlite-memory")
async def test_a_tree_may_be_as_large_as_its_bounds(client: httpx.AsyncClient) -> None:
    """S80: four groups inside each other and fifty conditions are taken."""
    assert await ids(client, filter='{"not":' * 4 + '{"size": 1}' + "}" * 4) == [1]
    assert await ids(client, filter='{"or":[' + ",".join(['{"size": 1}'] * 50) + "]}") == [1]


@pytest.mark.databases("sqlite-memory")
async def test_a_hidden_and_an_unknown_filter_look_alike(client: httpx.AsyncClient) -> None:
    """One text for both: a refusal tells no client which columns there are."""
    texts = {
        problem(await client.get(f'things?filter={{"{name}":1}}'), 422)["detail"].replace(name, "x")
        for name in ("zz", "maker_id")
    }
    assert len(texts) == 1


async def test_a_search_is_literal(client: httpx.AsyncClient) -> None:
    """S80: `q` is found in any of the declared fields, without regard to case; nothing in it is a wildcard."""
    for text, found in {
        "lamp": [1, 2, 4],
        "LAMP B": [4],
        "étui": [3],
        "%": [1],
        "a_b": [3],
        "_": [3],
        "\\": [5],
        "100% brass": [1],
        "none": [],
        " ": [1, 2, 4],
    }.items():
        assert await ids(client, q=text) == found, text
    assert await ids(client, "makers", q="NOR") == [1]
    assert await ids(client, "makers", q="b") == [2]


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("query", ["q=", f"q={'a' * 201}", "q=%00", "q=a&q=b"])
async def test_an_unfit_search_is_refused(client: httpx.AsyncClient, query: str) -> None:
    """An empty search would find everything, a long one costs much: 422."""
    assert places(await client.get(f"things?{query}"), 422) == ["q"]


@pytest.mark.databases("sqlite-memory")
async def test_a_field_may_be_called_as_a_parameter_is(client: httpx.AsyncClient) -> None:
    """A column named `count` is filtered by with its operator written out; the parameter stays what it is."""
    assert await ids(client, count__eq="5", count="exact") == [1, 3]
    problem(await client.get("things?count=5"), 422)


@pytest.mark.databases("sqlite-memory")
async def test_openapi_types_every_filter(client: httpx.AsyncClient) -> None:
    """S51: filters through relations, trees and search stand in the document with their types."""
    operation = (await client.get("http://library.test/openapi.json")).json()["paths"]["/api/v1/things"]["get"]
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert parameters["maker.title__icontains"]["schema"] == {"type": "string"}
    assert parameters["maker.id__gte"]["schema"] == {"type": "integer"}
    assert parameters["q"]["schema"]["maxLength"] == 200
    tree = parameters["filter"]["content"]["application/json"]["schema"]
    several = {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 200}
    assert tree["properties"]["size__in"] == several
    assert tree["properties"]["maker.country.name"] == {"type": "string"}
    assert tree["additionalProperties"] is False


@pytest.mark.parametrize(
    "listing",
    [
        Listing(filters=["nothing"]),
        Listing(filters=["maker.nothing"]),
        Listing(filters=["nobody.name"]),
        Listing(filters=["maker"]),
        Listing(filters=["maker.things.maker.title"]),
        Listing(search=["size"]),
        Listing(search=["nothing"]),
    ],
    ids=str,
)
def test_what_is_not_there_is_refused_at_the_declaration(listing: Listing) -> None:
    """A filter or search by what is no column, or no text, is refused when the resource is declared."""
    with pytest.raises(DeclarationError):
        Resource(Heirloom, listing=listing)


async def test_the_shop_is_searched(shop: httpx.AsyncClient) -> None:
    """S80: products are found by a word of their name or description, and by their category's name."""
    category = (await shop.post("categories", json={"name": "Light"})).json()
    for values in ({"name": "Lamp", "category_id": category["id"]}, {"name": "Box", "description": "for a LAMP"}):
        answer = await shop.post("products", json={"price": 5, "quantity": 1, **values})
        assert answer.status_code == 201, answer.text
    assert [row["name"] for row in (await shop.get("products?q=lamp&sort=name")).json()["products"]] == ["Box", "Lamp"]
    assert [row["name"] for row in (await shop.get("products?category.name=Light")).json()["products"]] == ["Lamp"]
