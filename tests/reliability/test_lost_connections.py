"""A connection to a real server ends at a chosen moment: what could be repeated is, and the rest is told as it is."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from colonnade import Database, PoolSettings, Service, get_sync_db
from colonnade.database.driver import Statement
from colonnade.testing.faults import BLACK_HOLE, CUT, HEALTHY, RESET, Ending, Fault, FaultProxy
from tests.library import client_of, installed, new_book
from tests.reliability.faulty import Looking, behind_proxy, refused, titles

pytestmark = [pytest.mark.anyio, pytest.mark.databases("postgresql", "mariadb")]

ENDINGS: tuple[Ending, ...] = ("reset", "cut", "reply_lost")
BOTH_WAYS = pytest.mark.parametrize("service", [None, Looking()], ids=["compiled", "by session"])


@pytest.mark.parametrize("fault", [RESET, CUT], ids=["reset", "cut"])
@BOTH_WAYS
async def test_idle_connections_that_died_are_nobodys_concern(
    database_url: str, fault: Fault, service: Service | None
) -> None:
    """S59: after every connection of the pool was ended, reads and changes are answered as if nothing had been."""
    async with behind_proxy(database_url, service) as (proxy, client):
        book = await new_book(client)
        for _ in range(3):
            proxy.fault = RESET
            proxy.fault = HEALTHY
            assert (await client.get(f"books/{book['id']}")).status_code == 200
            proxy.fault = RESET
            proxy.fault = HEALTHY
            assert (await client.patch(f"books/{book['id']}", json={"pages": 7})).status_code == 200


async def test_a_read_that_is_cut_is_read_again(database_url: str) -> None:
    """S59: a connection that is lost under a read costs the client nothing."""
    async with behind_proxy(database_url) as (proxy, client):
        book = await new_book(client)
        for ending, field in zip(ENDINGS, ("title", "pages", "copies"), strict=True):  # a text never prepared
            proxy.fault = Fault(ending=ending, at=b"SELECT", times=1)
            answer = await client.get("books", params={"fields": field})
            assert (answer.status_code, proxy.struck) == (200, 1)
            assert answer.json()["books"] == [{field: book[field]}]


@pytest.mark.parametrize("service", [Looking()], ids=["by session"])
async def test_a_transaction_that_is_cut_before_its_commit_is_done_again(database_url: str, service: Service) -> None:
    """S59: what was lost before COMMIT can't be stored, so the whole transaction is repeated, and has its effect once."""
    async with behind_proxy(database_url, service) as (proxy, client):
        for number, ending in enumerate(ENDINGS):
            proxy.fault = Fault(ending=ending, at=b"INSERT INTO books", times=1)
            await new_book(client, f"Emma {number}")
            assert proxy.struck == 1
            proxy.fault = RESET  # so that the statement is prepared anew, by its text
            proxy.fault = HEALTHY
        assert await titles(client) == ["Emma 0", "Emma 1", "Emma 2"]


@BOTH_WAYS
async def test_a_lost_commit_is_not_repeated_but_told(database_url: str, service: Service | None) -> None:
    """S59: where the answer to the commit is lost the client is told that nobody knows, and finds it stored."""
    async with behind_proxy(database_url, service) as (proxy, client):
        await new_book(client)
        proxy.fault = Fault(ending="reply_lost", at=_commits(database_url, service), times=1)
        assert refused(await client.post("books", json={"title": "Persuasion"})) == "CLN514"
        assert await titles(client) == ["Emma", "Persuasion"]


@BOTH_WAYS
async def test_a_commit_that_never_arrives_is_told_the_same(database_url: str, service: Service | None) -> None:
    """S59: where the commit itself was lost nothing is stored, which the client is not told otherwise."""
    async with behind_proxy(database_url, service) as (proxy, client):
        await new_book(client)
        proxy.fault = Fault(ending="reset", at=_commits(database_url, service), times=1)
        assert refused(await client.post("books", json={"title": "Persuasion"})) == "CLN514"
        assert await titles(client) == ["Emma"]


@BOTH_WAYS
async def test_what_nobody_answers_is_given_up(database_url: str, service: Service | None) -> None:
    """S59: where the network swallows a statement, or its answer, this side ends the connection when the time is over."""
    async with behind_proxy(database_url, service, PoolSettings(statement_timeout=1)) as (proxy, client):
        book = await new_book(client)
        proxy.fault = Fault(ending="silence", at=b"UPDATE", times=1)
        # On PostgreSQL a lone statement is a transaction by itself.
        assert refused(await client.patch(f"books/{book['id']}", json={"pages": 7})) in {"CLN510", "CLN514"}
        assert proxy.struck == 1
        assert (await client.patch(f"books/{book['id']}", json={"pages": 8})).json()["pages"] == 8


@BOTH_WAYS
async def test_a_key_makes_an_unknown_outcome_known(database_url: str, service: Service | None) -> None:
    """S59, idempotency: the same request with its key is answered in the end, and had its effect once."""
    async with behind_proxy(database_url, service) as (proxy, client):
        await new_book(client)
        for ending in (ENDINGS[0], ENDINGS[2]):
            proxy.fault = Fault(ending=ending, at=b"COMMIT", times=1)
            body, headers = {"title": ending}, {"idempotency-key": ending}
            assert refused(await client.post("books", json=body, headers=headers)) == "CLN514"
            assert (await client.post("books", json=body, headers=headers)).status_code == 201
        assert await titles(client) == ["Emma", "reset", "reply_lost"]


def _commits(database_url: str, service: Service | None) -> bytes:
    """Give what goes over the wire when the book's change becomes durable: on PostgreSQL a lone statement does."""
    return b"Persuasion" if service is None and database_url.startswith("postgresql") else b"COMMIT"


async def test_a_sync_session_is_told_the_same(database_url: str) -> None:
    """S59: an endpoint that is a plain `def` answers 503 when its connection is lost, as every other does."""
    app = FastAPI()

    @app.get("/one")
    def one(session: Annotated[Session, Depends(get_sync_db)]) -> str:
        return str(session.scalar(sa.text("SELECT 1")))

    async with FaultProxy(database_url) as proxy:
        database = await installed(app, proxy.url)
        async with client_of(app, "/") as client:
            assert (await client.get("one")).status_code == 200
            proxy.fault = Fault(ending="cut")
            assert refused(await client.get("one")) == "CLN510"
        await database.dispose()


@pytest.mark.databases("postgresql")
async def test_a_silent_network_does_not_hold_up_the_end(database_url: str) -> None:
    """Reliability, server: connections that nobody answers on are given up all at once, within the two seconds of a stop."""
    async with FaultProxy(database_url) as proxy:
        database = Database(proxy.url, pool=PoolSettings(size=6))
        await asyncio.gather(*[database.fetch(Statement("SELECT pg_sleep(0.1)", ())) for _ in range(6)])
        proxy.fault = BLACK_HOLE
        async with asyncio.timeout(10):  # one after the other they take half a minute
            await database.dispose()
    assert (database.pool_events.connect, database.pool_events.close) == (6, 6)
