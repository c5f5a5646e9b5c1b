"""Who may see what of a row's history: no more than of the row, and only with a grant of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import Change, Database, Policy, Resource, Routes, allow, record_changes, role, signed_in
from tests.magazine import magazine_app
from tests.workshop import ADMIN, ToolPart, client_of, history, new_tool, told, workshop

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]

OWNER, OTHER, KEEPER = "1 user", "2 user", "3 keeper"


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[FastAPI]:
    """The workshop with a saw that belongs to the first account, and was changed once."""
    async with workshop(database_url) as started, client_of(started, ADMIN) as admin:
        await new_tool(admin, price=1, lock_secret="4711")
        await admin.patch("tools/1", json={"price": 2, "lock_secret": "0815"})
        yield started


async def status(app: FastAPI, account: str, path: str = "tools/1", scopes: str | None = None) -> int:
    """Ask for a history as somebody, and give the status."""
    async with client_of(app, account, scopes) as client:
        return (await client.get(f"{path}/history")).status_code


async def test_who_may_not_read_the_history_of_a_row_is_refused(app: FastAPI) -> None:
    """S78: what no grant allows is denied; 404 where the row itself is out of reach."""
    assert [await status(app, who) for who in ("", OTHER, OWNER, KEEPER, ADMIN)] == [401, 403, 200, 200, 200]
    async with client_of(app, ADMIN) as admin:
        await admin.post("tool-labels", json={"code": "x", "words": "sharp"})
    assert [await status(app, who, "tool-labels/x") for who in ("", OTHER, OWNER, ADMIN)] == [401, 404, 200, 200]
    assert await status(app, OWNER, scopes="tools:read") == 200
    assert await status(app, OWNER, scopes="tools:write") == 403


async def test_a_hidden_field_is_no_field_of_the_history(app: FastAPI) -> None:
    """A price that is hidden in the row is hidden in its past: history is no oracle for it."""
    async with client_of(app, KEEPER) as keeper, client_of(app, OWNER) as owner:
        assert [sorted(changes) for *_, changes in await told(keeper, "tools/1")] == [
            ["lock_secret", "name", "owner_id"],
            ["lock_secret"],
        ]
        assert "price" not in (await keeper.get("tools/1/history")).text
        assert (await told(owner, "tools/1"))[1][2]["price"] == {"before": 1, "after": 2}


async def test_a_secret_is_named_and_not_told(app: FastAPI) -> None:
    """S11: that it was changed is said to who may read the history; what it was and is stands nowhere, stored or shown."""
    async with client_of(app, ADMIN) as admin:
        assert [changes["lock_secret"] for *_, changes in await told(admin, "tools/1")] == [{}, {}]
    async with app.state.database.engine.connect() as connection:
        stored = (await connection.scalars(sa.text("SELECT changes FROM history"))).all()
    assert not any("4711" in text or "0815" in text for text in stored)


async def test_the_history_of_a_deleted_row_is_for_who_sees_it_deleted(app: FastAPI) -> None:
    """S74: it goes with the row from the sight of its owner, and not from that of those who may read what is deleted."""
    async with client_of(app, ADMIN) as admin:
        await admin.delete("tools/1")
    assert [await status(app, who) for who in (OWNER, KEEPER, ADMIN)] == [404, 200, 200]


async def test_a_key_that_is_used_again_begins_anew(app: FastAPI) -> None:
    """Whoever gets a key that was another's does not get to know what that one was."""
    async with client_of(app, ADMIN) as admin:
        await admin.post("tool-labels", json={"code": "x", "words": "of another", "owner_id": 2})
        await admin.delete("tool-labels/x")
        assert len(await history(admin, "tool-labels/x")) == 2
        await admin.post("tool-labels", json={"code": "x", "words": "mine"})
    async with client_of(app, OWNER) as owner:
        assert [entry["operation"] for entry in await history(owner, "tool-labels/x")] == ["create"]


class Counter(DeclarativeBase):
    """The base of the model below."""


class Ticket(Counter):
    """Has the plainest key there is, which SQLite gives again once the last row is deleted."""

    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    seat: Mapped[str] = mapped_column(sa.String(20))


async def test_an_id_that_is_given_again_begins_anew(database_url: str) -> None:
    """Nor does whoever gets the id of a deleted row from the database."""
    own = allow("read", "read_history", to=signed_in, own="owner_id")
    tickets = Resource(Ticket, policy=Policy(own, allow("everything", to=role("admin"))), routes=Routes(history=True))
    app = magazine_app(Database(database_url, metadata=Counter.metadata), [tickets])
    async with app.router.lifespan_context(app), client_of(app, ADMIN) as admin, client_of(app, OWNER) as owner:
        await admin.post("tickets", json={"owner_id": 2, "seat": "of another"})
        await admin.delete("tickets/1")
        assert (await admin.post("tickets", json={"owner_id": 1, "seat": "mine"})).json()["id"] == 1
        assert [entry["operation"] for entry in await history(owner, "tickets/1")] == ["create"]


async def test_a_hook_may_record_what_it_does_to_other_rows(database_url: str) -> None:
    """What a statement of the application's own changes is told as an update by the same principal."""
    async with workshop(database_url, renaming=True) as app, client_of(app, ADMIN) as admin:
        await new_tool(admin)
        await admin.post("tool-parts", json={"tool_id": 1, "name": "blade"})
        await admin.patch("tools/1", json={"name": "Axe"})
        assert (await told(admin, "tool-parts/1"))[1] == (
            "update", 2, {"name": {"before": "blade", "after": "Axe"}}
        )  # fmt: skip
        assert (await history(admin, "tool-parts/1"))[1]["principal"] == "account:1"


async def test_outside_a_transaction_nothing_is_recorded() -> None:
    """`record_changes` needs the session of a hook, and says so."""
    with pytest.raises(RuntimeError, match="there is no session"):
        async with record_changes(Change("update", {}), ToolPart, [1]):
            pass


async def test_openapi_describes_the_history(app: FastAPI) -> None:
    """S28: its entries, its pages, and who is refused."""
    operation = app.openapi()["paths"]["/api/v1/tools/{id}/history"]["get"]
    assert {"401", "403", "404", "422"} <= operation["responses"].keys()
    assert {"page", "cursor", "limit", "fields"} <= {parameter["name"] for parameter in operation["parameters"]}
    assert "412" not in operation["responses"]
    assert set(app.openapi()["components"]["schemas"]["HistoryEntry"]["required"]) >= {"operation", "changes"}
