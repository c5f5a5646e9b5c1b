"""What a developer may look at: plans of a request's own statements, sessions, the pool, the database's connections."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends
from sqlalchemy import text
from sqlalchemy.exc import MissingGreenlet, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Database, Principal, get_db, session_state
from colonnade.api.route import runtime_of
from colonnade.database.plans import explain, without_values
from tests.observed import Lamp, observed

pytestmark = pytest.mark.anyio

DEVELOPMENT = {"env": "development", "log_level": "critical"}
EXPLAIN = {"X-Explain": "analyze"}


async def test_a_request_is_explained(database_url: str) -> None:
    """S54: `X-Explain: analyze` answers each statement that the request ran, its time and its plan."""
    async with observed(database_url, **DEVELOPMENT) as (_, client):
        await client.post("/api/v1/lamps", json={"name": "Lamp", "price": 19.9})
        answer = await client.get("/api/v1/lamps?name__startswith=La&sort=-price&count=none", headers=EXPLAIN)
        told = answer.json()
    (statement,) = told["statements"]
    assert (answer.status_code, told["route"], told["status"]) == (200, "/api/v1/lamps", 200)
    assert '"1 statement"' in answer.headers["server-timing"]  # asking for the plan is none of the request's own
    assert statement["sql"].startswith("SELECT")
    assert statement["ms"] > 0
    assert statement["plan"]
    if database_url.startswith("postgresql"):
        assert "Actual Rows" in str(statement["plan"])
    if database_url.startswith("mysql"):
        assert "r_rows" in str(statement["plan"])


async def test_a_session_s_statements_are_explained(database_url: str) -> None:
    """S54: an application's own endpoint, which asks through a session, is explained like a resource."""
    async with observed(database_url, **DEVELOPMENT) as (app, client):

        @app.get("/cheap")
        async def cheap(session: Annotated[AsyncSession, Depends(get_db)]) -> int:
            found = await session.execute(text("SELECT count(*) FROM lamps WHERE price < :price"), {"price": 500})
            return found.scalar_one()

        told = (await client.get("/cheap", headers=EXPLAIN)).json()
    (statement,) = told["statements"]
    assert (told["route"], bool(statement["plan"])) == ("/cheap", True)


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("method", "header", "status"), [("GET", "please", 400), ("POST", "analyze", 400), ("GET", "analyze", 200)]
)
async def test_only_reads_are_explained(method: str, header: str, status: int) -> None:
    """S54: nothing is changed for the sake of its plan, and another word is refused."""
    async with observed(**DEVELOPMENT) as (_, client):
        answer = await client.request(method, "/api/v1/lamps", headers={"X-Explain": header})
    assert answer.status_code == status


@pytest.mark.databases("sqlite-memory")
async def test_what_is_refused_stays_refused() -> None:
    """S54: a request that would be refused gets its own problem."""
    async with observed(**DEVELOPMENT) as (_, client):
        assert (await client.get("/api/v1/lamps/7", headers=EXPLAIN)).json()["code"] == "CLN400"


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize("path", ["/debug/pool", "/debug/connections", "/debug/sessions"])
async def test_nothing_is_shown_outside_of_development(path: str) -> None:
    """C22: in production the paths do not exist and the header means nothing."""
    async with observed() as (_, client):
        assert (await client.get(path)).status_code == 404
        assert "statements" not in (await client.get("/api/v1/lamps", headers=EXPLAIN)).json()


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("role", "peer", "status"),
    [("admin", "10.1.2.3", 200), ("user", "127.0.0.1", 404), (None, "127.0.0.1", 200), (None, "10.1.2.3", 404)],
)
async def test_only_an_administrator_looks_inside(role: str | None, peer: str, status: int) -> None:
    """S58, C22: with accounts it takes an administrator, wherever he is; without, somebody on this machine."""

    async def signed_in(*_: Any) -> Principal:
        return Principal(7, role)

    async with observed(**DEVELOPMENT) as (app, _):
        runtime_of(app).authenticate = signed_in if role else None
        transport = httpx.ASGITransport(app, client=(peer, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            assert (await client.get("/debug/pool")).status_code == status
            told = (await client.get("/api/v1/rooms", headers=EXPLAIN)).json()
            assert ("statements" in told) is (status == 200)


@pytest.mark.databases("sqlite-memory")
async def test_an_administrator_s_key_does_not_look_inside() -> None:
    """S58: an API key is confined to its scopes, and no scope is for looking inside."""

    async def by_key(*_: Any) -> Principal:
        return Principal(7, "admin", frozenset({"rooms:read"}))

    async with observed(**DEVELOPMENT) as (app, client):
        runtime_of(app).authenticate = by_key
        assert (await client.get("/debug/pool")).status_code == 404
        assert "statements" not in (await client.get("/api/v1/rooms", headers=EXPLAIN)).json()


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_the_pool_and_its_events_are_shown(database_url: str) -> None:
    """S57: how many connections are idle and busy, and how often each thing happened to them."""
    async with observed(database_url, **DEVELOPMENT) as (app, client):
        database = runtime_of(app).database
        before = (await client.get("/debug/pool")).json()
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
            lent = (await client.get("/debug/pool")).json()
        after = (await client.get("/debug/pool")).json()
    assert lent["pool"]["busy"] == before["pool"]["busy"] + 1
    assert after["pool"]["busy"] == before["pool"]["busy"]
    assert lent["events"]["checkout"] == before["events"]["checkout"] + 1
    assert after["events"]["checkin"] == before["events"]["checkin"] + 1
    assert after["events"]["connect"] >= 1


@pytest.mark.databases("postgresql")
async def test_connections_lent_bare_are_counted_too(database_url: str) -> None:
    """S57: what the compiled way borrows past SQLAlchemy's events is a checkout like any other."""
    async with observed(database_url) as (app, client):
        events = runtime_of(app).database.pool_events
        before = events.shown()
        await client.get("/api/v1/lamps/1")
        after = events.shown()
    assert {name: after[name] - before[name] for name in after} == {
        "connect": 0,
        "close": 0,
        "checkout": 1,
        "checkin": 1,
        "timeout": 0,
    }


async def test_active_connections_are_shown(database_url: str) -> None:
    """S58: who is connected to the database and what each is doing; on SQLite, the writer and the readers."""
    async with observed(database_url, **DEVELOPMENT) as (_, client):
        await client.post("/api/v1/lamps", json={"name": "Lamp", "price": 19.9})
        found = (await client.get("/debug/connections")).json()["connections"]
    if database_url.startswith("sqlite"):
        assert [(one["role"], one["open"]) for one in found] == [("writer", True), ("reader", True)]
    else:
        told = " ".join(one["statement"] or "" for one in found).lower()
        assert ("pg_stat_activity" if database_url.startswith("postgresql") else "processlist") in told


@pytest.mark.databases("sqlite-memory")
async def test_an_open_session_s_state_is_shown() -> None:
    """S56: of each session in a transaction: whether it is active, and which rows are new, dirty or deleted."""
    async with observed(**DEVELOPMENT) as (app, client):
        for name in ("Lamp", "Desk"):
            await client.post("/api/v1/lamps", json={"name": name, "price": 19.9})
        async with runtime_of(app).database.session(read_only=True) as session:
            lamp, desk = await session.get_one(Lamp, 1), await session.get_one(Lamp, 2)
            lamp.name = "Light"
            await session.delete(desk)
            session.add(Lamp(name="Chair", price=5))
            shown = (await client.get("/debug/sessions")).json()["sessions"]
            session.expunge_all()
        after = (await client.get("/debug/sessions")).json()["sessions"]
    assert shown == [
        {
            "is_active": True,
            "in_transaction": True,
            "new": ["Lamp(new)"],
            "dirty": ["Lamp(1)"],
            "deleted": ["Lamp(2)"],
            "loaded": 2,
        }
    ]
    assert after == []


async def test_a_session_s_state_can_be_asked_for() -> None:
    """S56: `session_state` tells the same of any session, in an application's own debugging."""
    async with Database("sqlite://").session(read_only=True) as session:
        session.add(Lamp(name="Light"))
        state = session_state(session)
    assert (state.is_active, state.new, state.dirty, state.deleted) == (True, ["Lamp(new)"], [], [])


async def test_statements_name_their_route(database_url: str) -> None:
    """A statement carries its route in a comment, has one text per route, and does what it did."""
    async with observed(database_url, sql_comments=True) as (app, client):
        database, texts = runtime_of(app).database, list[str]()
        database.watch.listeners.append(lambda sql, *_: texts.append(sql))
        made = await client.post("/api/v1/lamps", json={"name": "100 %", "price": 19.9})
        for _ in range(2):
            assert (await client.get("/api/v1/lamps/1")).json()["name"] == "100 %"
        await client.patch("/api/v1/lamps/1", json={"price": 3})

        @app.get("/own")
        async def own(session: Annotated[AsyncSession, Depends(get_db)]) -> int:
            return (await session.execute(text("SELECT 5"))).scalar_one()

        assert (await client.get("/own")).json() == 5
    assert made.status_code == 201
    assert {sql.rpartition(" /*")[2] for sql in texts} == {
        "route='/api/v1/lamps'*/",
        "route='/api/v1/lamps/{id}'*/",
        "route='/own'*/",
    }
    reads = [sql for sql in texts if sql.startswith("SELECT") and "{id}" in sql]
    assert len(set(reads[:2])) == 1


async def test_a_slow_statement_is_logged_with_its_plan(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A statement that took longer than SLOW_STATEMENT is logged with text, time and plan, and without its values."""

    def planned() -> list[dict[str, Any]]:
        told = [vars(record) for record in caplog.records if hasattr(record, "plan")]
        return [record for record in told if "FROM lamps" in record["sql"]]

    async with observed(database_url, slow_statement=1e-9) as (_, client), asyncio.timeout(20):
        while not planned():  # one plan is made at a time, and the start had slow statements too
            await client.get("/api/v1/lamps?name=Hunter22&count=none")
            await asyncio.sleep(0.02)
    record = planned()[0]
    assert (record["levelno"], record["message"]) == (logging.WARNING, "slow statement")
    assert record["sql"].startswith("SELECT")
    assert record["ms"] > 0
    assert "Hunter22" not in str(record["plan"]) + record["sql"]


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_plan_that_is_being_made_is_left_at_the_end(database_url: str) -> None:
    """S57: an application that stops while it asks for a slow statement's plan leaves no connection open."""
    async with observed(database_url, slow_statement=1e-9) as (app, client):
        await client.get("/api/v1/lamps?count=none&fields=id")
    events = app.state.database.pool_events
    assert events.connect == events.close


@pytest.mark.databases("sqlite-memory")
async def test_a_quick_statement_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With SLOW_STATEMENT=0 nothing is measured against it."""
    async with observed(slow_statement=0) as (_, client):
        await client.get("/api/v1/lamps")
    assert [record for record in caplog.records if record.message == "slow statement"] == []


@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        ({"Filter": "(name = 'O''Hara'::text) AND (age > 42)"}, {"Filter": "(name = ?::text) AND (age > ?)"}),
        ({"Index Cond": "(id = 7)", "Plan Rows": 12}, {"Index Cond": "(id = ?)", "Plan Rows": 12}),
        ({"Plans": [{"attached_condition": "t.name2 = 'x'"}]}, {"Plans": [{"attached_condition": "t.name2 = ?"}]}),
        (
            ["SEARCH users USING INDEX ix_users_email2 (email=?)"],
            ["SEARCH users USING INDEX ix_users_email2 (email=?)"],
        ),
    ],
)
def test_a_plan_in_the_log_has_no_values(plan: Any, shown: Any) -> None:
    """S66: what was asked for may be somebody's data: a plan's conditions are shown without their values."""
    assert without_values(plan) == shown


async def test_what_has_no_plan_has_none() -> None:
    """S54: a statement that the database does not plan is left without one."""
    assert await explain(Database("sqlite://"), "PRAGMA user_version", ()) is None


@pytest.mark.databases("sqlite-memory")
@pytest.mark.parametrize(
    ("error", "hint"), [(MissingGreenlet(""), "selectinload"), (PendingRollbackError(""), "await session.rollback()")]
)
async def test_a_classic_mistake_is_logged_with_what_mends_it(
    caplog: pytest.LogCaptureFixture, error: Exception, hint: str
) -> None:
    """S59: lazy loading, a session that waits for its rollback and their like are told with a hint, beside the trace."""
    async with observed() as (app, client):

        @app.get("/mistaken")
        async def mistaken() -> None:
            raise error

        assert (await client.get("/mistaken")).status_code == 500
    record = next(record for record in caplog.records if record.exc_info)
    assert hint in vars(record)["hint"]
