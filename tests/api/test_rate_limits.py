"""How often a client may ask (S32): bursts, addresses, accounts, routes, and several processes."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.types import Scope

from colonnade import Database, Listing, Resource, Routes, Settings, create_app, rate_limits
from colonnade.core.errors import DeclarationError, UnauthenticatedError
from colonnade.database.urls import is_memory
from colonnade.limits.limits import Limits
from colonnade.limits.rate import Rate
from colonnade.limits.redis import RedisCounts
from colonnade.limits.sql import SqlCounts
from colonnade.policy.principal import ANONYMOUS, Principal
from colonnade.testing.valkey import Valkey
from tests.library import Book, Publisher, Shelf, problem
from tests.serving_workers import connected, serving_workers

pytestmark = pytest.mark.anyio

ORIGIN = "https://shop.example.org"


def limited_app(url: str = "sqlite://", routes: Routes | None = None, **settings: Any) -> FastAPI:
    """An application of the library's, ten requests a minute for everybody unless told otherwise."""
    read = Settings(_env_file=None, **{"env": "test", "rate_limit": "10/minute", **settings})
    resources = [Resource(Book, listing=Listing(), routes=routes or Routes(path="books")), Resource(Publisher)]
    return create_app(resources, database=Database(url, metadata=Shelf.metadata), settings=read)


@asynccontextmanager
async def clients(app: FastAPI, *addresses: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Start an application and give a client of it at each address."""
    async with app.router.lifespan_context(app):
        yield [
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, client=(address, 4711)), base_url="http://library.test/api/v1/"
            )
            for address in addresses
        ]


async def burst(client: httpx.AsyncClient, requests: int, path: str = "books", **options: Any) -> Counter[int]:
    """Ask so many times at once, and count the statuses."""
    answers = await asyncio.gather(*(client.get(path, **options) for _ in range(requests)))
    return Counter(answer.status_code for answer in answers)


async def test_a_burst_gets_exactly_the_limit() -> None:
    """S32: of 150 requests at once the default lets 100 through, and answers the others 429."""
    async with clients(limited_app(rate_limit="100/minute"), "192.0.2.1") as (client,):
        assert await burst(client, 150) == {200: 100, 429: 50}


async def test_a_refusal_says_when_to_come_back() -> None:
    """S32: 429 is a problem with `Retry-After`, `RateLimit` and `RateLimit-Policy`."""
    async with clients(limited_app(), "192.0.2.1") as (client,):
        await burst(client, 10)
        answer = await client.get("books")
    assert problem(answer, 429)["code"] == "CLN310"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit-policy"] == '"default";q=10;w=60'
    assert re.fullmatch(r'"default";r=0;t=([1-9]|[1-5][0-9]|60)', answer.headers["ratelimit"])


async def test_every_answer_says_what_is_left() -> None:
    """S32: answers of every kind carry the limit and what is left of it."""
    async with clients(limited_app(), "192.0.2.1") as (client,):
        answers = [await client.get(path) for path in ("books", "books/7", "nothing", "books?x=1")]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 422]
    assert [answer.headers["ratelimit"][:13] for answer in answers] == [f'"default";r={left}' for left in "9876"]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=10;w=60'}


async def test_addresses_are_counted_apart() -> None:
    """S32: one client's burst is not another one's."""
    async with clients(limited_app(), "192.0.2.1", "192.0.2.2") as (first, second):
        assert await burst(first, 12) == {200: 10, 429: 2}
        assert await burst(second, 12) == {200: 10, 429: 2}


async def test_a_subscriber_has_one_limit_for_all_of_its_addresses() -> None:
    """S32: an IPv6 subscriber has 2^64 addresses, and one limit; another one has another."""
    async with clients(limited_app(), "2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1") as (one, same, other):
        assert await burst(one, 10) == {200: 10}
        assert await burst(same, 1) == {429: 1}
        assert await burst(other, 1) == {200: 1}


async def test_an_invented_forwarded_address_is_no_way_out() -> None:
    """S32: without TRUSTED_PROXIES a client can't be somebody else by a header."""
    app = limited_app()
    async with clients(app, "192.0.2.1") as (client,):
        asked = (client.get("books", headers={"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(15))
        statuses = Counter(answer.status_code for answer in await asyncio.gather(*asked))
    assert statuses == {200: 10, 429: 5}


async def test_clients_behind_a_listed_proxy_are_told_apart() -> None:
    """S32: with TRUSTED_PROXIES each client has its own limit, and what it writes itself does not count."""
    async with clients(limited_app(trusted_proxies=("10.0.0.1",)), "10.0.0.1") as (proxy,):
        for client in ("203.0.113.1", "203.0.113.2"):
            assert await burst(proxy, 11, headers={"X-Forwarded-For": f"1.2.3.4, {client}"}) == {200: 10, 429: 1}


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_probes_are_not_limited(path: str) -> None:
    """S32: whoever watches over the service may ask as often as he likes."""
    async with clients(limited_app(), "192.0.2.1") as (client,):
        assert await burst(client, 15, f"http://library.test{path}") == {200: 15}
        assert await burst(client, 10) == {200: 10}


async def test_off_is_no_limit() -> None:
    """S32: RATE_LIMIT=off lets everything through, without the headers."""
    async with clients(limited_app(rate_limit="off"), "192.0.2.1") as (client,):
        assert await burst(client, 150) == {200: 150}
        assert "ratelimit" not in (await client.get("books")).headers


async def test_a_script_on_another_origin_can_read_a_refusal() -> None:
    """S24, S32: 429 carries the CORS headers, and a preflight is not counted."""
    async with clients(limited_app(allowed_origins=(ORIGIN,)), "192.0.2.1") as (client,):
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        for _ in range(12):
            assert (await client.options("books", headers=asked)).status_code == 200
        await burst(client, 10)
        answer = await client.get("books", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (429, ORIGIN)
    assert "RateLimit" in answer.headers["access-control-expose-headers"]


# ------------------------------------------------------------------------------------------------------- accounts


async def by_header(scope: Scope, database: Database) -> Principal:
    """Believe whoever says who he is, but for an impostor."""
    name = dict(scope["headers"]).get(b"authorization", b"").decode()
    if name == "impostor":
        raise UnauthenticatedError
    return Principal(name, "user") if name else ANONYMOUS


async def test_who_has_signed_in_is_counted_by_account() -> None:
    """S32: two people behind one address have a limit each, and one person has one at every address."""
    app = limited_app()
    app.state.colonnade.authenticate = by_header
    async with clients(app, "192.0.2.1", "192.0.2.2") as (first, second):
        assert await burst(first, 11, headers={"Authorization": "ada"}) == {200: 10, 429: 1}
        assert await burst(first, 10, headers={"Authorization": "ben"}) == {200: 10}
        assert await burst(second, 1, headers={"Authorization": "ada"}) == {429: 1}
        assert await burst(first, 11) == {200: 10, 429: 1}


async def test_credentials_that_do_not_hold_are_counted_by_address() -> None:
    """S32: guessing tokens is limited as any request is."""
    app = limited_app()
    app.state.colonnade.authenticate = by_header
    async with clients(app, "192.0.2.1") as (client,):
        assert await burst(client, 12, headers={"Authorization": "impostor"}) == {401: 10, 429: 2}


async def test_credentials_that_are_guessed_cost_no_more_statements_than_the_limit() -> None:
    """S32: whose address is refused for guessing is refused before anything is looked up; nobody else is."""
    asked = []

    async def authenticate(scope: Scope, database: Database) -> Principal:
        asked.append(scope["client"][0])
        return await by_header(scope, database)

    app = limited_app()
    app.state.colonnade.authenticate = authenticate
    async with clients(app, "192.0.2.1", "192.0.2.2") as (client, other):
        await burst(client, 11, headers={"Authorization": "impostor"})
        looked = len(asked)
        assert await burst(client, 15, headers={"Authorization": "impostor"}) == {429: 15}
        assert len(asked) == looked
        assert await burst(other, 1, headers={"Authorization": "ada"}) == {200: 1}


@pytest.mark.parametrize("name", ["X-API-Key", "Cookie"])
async def test_a_header_that_is_no_credential_is_not_looked_up(name: str) -> None:
    """S32: who sends what no route reads is counted by address, and nothing is asked about it."""
    asked = []

    async def authenticate(scope: Scope, database: Database) -> Principal:
        asked.append(scope["path"])
        return ANONYMOUS

    app = limited_app()
    app.state.colonnade.authenticate = authenticate
    async with clients(app, "192.0.2.1") as (client,):
        await client.get("http://library.test/nowhere", headers={name: "x"})
    assert asked == []


async def test_a_request_is_authenticated_once() -> None:
    """S32: the limit and the route ask who sends it, and the database is asked one time."""
    asked = []

    async def authenticate(scope: Scope, database: Database) -> Principal:
        asked.append(scope["path"])
        return Principal(7, "user")

    app = limited_app()
    app.state.colonnade.authenticate = authenticate
    async with clients(app, "192.0.2.1") as (client,):
        await client.get("books", headers={"Authorization": "x"})
    assert asked == ["/api/v1/books"]


# --------------------------------------------------------------------------------------------------------- routes


async def test_a_route_has_a_limit_of_its_own() -> None:
    """S32: `Routes(limits={"POST": ...})` holds for all that POST does there, and for nothing else."""
    routes = Routes(path="books", limits={"POST": "3/hour"})
    async with clients(limited_app(routes=routes), "192.0.2.1", "192.0.2.2") as (client, other):
        made = [await client.post("books", json={"title": "Emma"}) for _ in range(3)]
        assert [answer.status_code for answer in made] == [201] * 3
        assert made[0].headers.get_list("ratelimit-policy") == ['"books-post";q=3;w=3600', '"default";q=10;w=60']
        refused = await client.post("books/bulk", json={"items": [{"title": "Emma"}]})
        assert problem(refused, 429)["detail"].startswith("3 requests in 3600 seconds")
        assert (await client.get("books")).json()["total"] == 3
        assert (await client.post("publishers", json={"name": "Egerton"})).status_code == 201
        assert (await other.post("books", json={"title": "Emma"})).status_code == 201


async def test_a_batch_does_not_get_around_a_routes_limit() -> None:
    """S32: each operation of a batch counts as if it had come by itself."""
    routes = Routes(path="books", limits={"POST": "3/hour"})
    body = {"title": "Emma"}
    operations = [{"id": str(n), "method": "POST", "path": "/api/v1/books", "body": body} for n in range(4)]
    async with clients(limited_app(routes=routes), "192.0.2.1") as (client,):
        assert problem(await client.post("batch", json={"operations": operations}), 429)["id"] == "3"
        assert (await client.get("books")).json()["total"] == 0


async def test_a_batch_is_one_request_to_the_general_limit() -> None:
    """S32: as a bulk change of a thousand rows is; what a request may do is bounded by itself."""
    operations = [
        {"id": str(n), "method": "POST", "path": "/api/v1/books", "body": {"title": "Emma"}} for n in range(20)
    ]
    async with clients(limited_app(), "192.0.2.1") as (client,):
        answer = await client.post("batch", json={"operations": operations})
        assert (answer.status_code, answer.headers["ratelimit"]) == (200, '"default";r=9;t=60')


async def test_every_operation_declares_429() -> None:
    """S28, S32: OpenAPI tells of the refusal."""
    app = limited_app()
    paths = app.openapi()["paths"]
    assert all(
        "429" in method["responses"] for path, item in paths.items() if "/v1/" in path for method in item.values()
    )


def test_a_limit_of_no_method_is_refused() -> None:
    """S32: a misspelt method is told when the program starts."""
    with pytest.raises(DeclarationError, match="no method create"):
        Resource(Book, routes=Routes(limits={"create": "1/second"}))


# ----------------------------------------------------------------------------------------------- several processes


async def take(limits: list[Limits], rate: Rate, requests: int) -> int:
    """Ask so often at once, at each of several processes in turn, and count what was granted."""
    asked = (limits[number % len(limits)].limit("default", rate).take("192.0.2.1") for number in range(requests))
    return sum(verdict.accepted for verdict in await asyncio.gather(*asked))


async def test_processes_that_share_a_database_share_a_limit(database_url: str) -> None:
    """S32: bursts to several processes get exactly the limit between them, on every database."""
    databases = [Database(database_url, metadata=sa.MetaData()) for _ in range(2)]
    limits = [Limits(SqlCounts(databases[0]))]
    await databases[0].start(create_tables=True)
    if not is_memory(databases[0].url):  # such a one is one process's own
        limits.append(Limits(SqlCounts(databases[1])))
    for number in range(10):
        assert await take(limits, Rate(20 + number, 60), 60) == 20 + number
    one_by_one = [await take(limits[::-1] if number % 2 else limits, Rate(7, 60), 1) for number in range(10)]
    assert one_by_one == [1] * 7 + [0] * 3
    for database in databases:
        await database.dispose()


async def test_processes_that_share_a_redis_share_a_limit(valkey_url: str) -> None:
    """S32: the same by Redis."""
    limits = [Limits(RedisCounts(valkey_url)) for _ in range(2)]
    for number in range(10):
        assert await take(limits, Rate(20 + number, 60), 60) == 20 + number
    verdict = await limits[0].limit("default", Rate(20, 60)).take("192.0.2.1")
    assert (verdict.accepted, verdict.remaining) == (False, 0)
    assert 0 < verdict.reset <= 60
    for limit in limits:
        await limit.close()


@pytest.mark.needs("valkey")
async def test_without_its_redis_the_limit_goes_on_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    """S32: Redis goes away: the limit holds per process, nothing fails, and one line tells of it."""
    with Valkey() as server:
        app = limited_app(redis_url=server.url)
        async with clients(app, "192.0.2.1") as (client,):
            assert await burst(client, 5) == {200: 5}
            server.kill()
            assert await burst(client, 15) == {200: 10, 429: 5}
    assert [record.name for record in caplog.records if record.levelname == "WARNING"] == ["colonnade.limits"]


async def test_a_missing_table_refuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """S32: where the migration was forgotten each process counts for itself, and the log says why."""
    limits = Limits(SqlCounts(Database("sqlite://", metadata=sa.MetaData())))
    assert await take([limits], Rate(5, 60), 8) == 5
    assert "rate_limits" in caplog.text


async def burst_to_two_workers(url: str, **environment: str) -> tuple[int, int, int]:
    """Send 160 requests over 8 connections to two processes: how many were granted, refused, and by how many."""
    metadata = sa.MetaData()
    rate_limits(metadata)
    database = Database(url, metadata=metadata)
    await database.start(create_tables=True)
    await database.dispose()
    environment |= {"ENV": "test", "RATE_LIMIT": "100/minute", "DATABASE_URL": url}
    with serving_workers("tests.limited_app:app", environment) as port:
        async with connected(f"http://127.0.0.1:{port}") as connections:
            asked = (connections[number % len(connections)].get("/") for number in range(160))
            answers = await asyncio.gather(*asked)
    granted = sum(answer.status_code == 200 for answer in answers)
    return granted, len(answers) - granted, len({answer.headers["x-process"] for answer in answers})


@pytest.mark.databases("postgresql")
async def test_two_workers_with_a_database_share_the_limit(database_url: str) -> None:
    """S32: without Redis a burst to two processes gets exactly the limit between them, and both serve."""
    assert await burst_to_two_workers(database_url) == (100, 60, 2)


async def test_two_workers_with_a_redis_share_the_limit(valkey_url: str) -> None:
    """S32: with Redis a burst to two processes gets exactly the limit between them, and both serve."""
    assert await burst_to_two_workers("sqlite://", REDIS_URL=valkey_url) == (100, 60, 2)
