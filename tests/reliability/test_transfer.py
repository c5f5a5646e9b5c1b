"""Money goes from one row to another in an endpoint of the user's own: both rows change or neither, whoever looks on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from colonnade import (
    Base,
    ConflictError,
    Database,
    IntegerId,
    Resource,
    Settings,
    create_app,
    get_database,
    get_db,
    get_sync_db,
)
from colonnade.models.base import NAMING_CONVENTION

pytestmark = pytest.mark.anyio

ACCOUNTS, BALANCE, CLIENTS, TRANSFERS = 4, 100, 10, 12


class Bank(Base):
    """A base of this file alone."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Purse(IntegerId, Bank):
    """What somebody has, which is never less than nothing."""

    __tablename__ = "purses"
    __table_args__ = (sa.CheckConstraint("balance >= 0", name="covered"),)

    balance: Mapped[int] = mapped_column(default=BALANCE)


class Transfer(BaseModel):
    """How much goes from where to where; `fails` in the middle on demand."""

    source: int
    target: int
    amount: int = Field(gt=0)
    fails: bool = False


router = APIRouter()
# In the sequence of their ids, so that two transfers the opposite way do not wait for each other.
LOCKED = sa.select(Purse).order_by(Purse.id).with_for_update()


def _check(body: Transfer, found: dict[int, Purse]) -> tuple[Purse, Purse]:
    source, target = found[body.source], found[body.target]
    if source.balance < body.amount:
        raise ConflictError("There is not enough in it.")
    return source, target


@router.post("/async", status_code=204)
async def by_session(body: Transfer, session: Annotated[AsyncSession, Depends(get_db)]) -> None:
    """Guide B's transfer, with guide C's dependency."""
    rows = await session.scalars(LOCKED.where(Purse.id.in_([body.source, body.target])))
    source, target = _check(body, {row.id: row for row in rows})
    source.balance -= body.amount
    await session.flush()
    if body.fails:
        raise RuntimeError("the power fails")
    target.balance += body.amount
    await session.commit()


@router.post("/sync", status_code=204)
def by_sync_session(body: Transfer, session: Annotated[Session, Depends(get_sync_db)]) -> None:
    """The same in a plain `def`, in a thread."""
    rows = session.scalars(LOCKED.where(Purse.id.in_([body.source, body.target])))
    source, target = _check(body, {row.id: row for row in rows})
    source.balance -= body.amount
    session.flush()
    if body.fails:
        raise RuntimeError("the power fails")
    target.balance += body.amount
    session.commit()


@router.post("/unit", status_code=204)
async def by_unit(body: Transfer, database: Annotated[Database, Depends(get_database)]) -> None:
    """By two statements of a unit of work, the first of which the table's own rule may refuse only after the second."""
    async with database.unit_of_work() as unit:
        for id, amount in sorted([(body.target, body.amount), (body.source, -body.amount)]):
            await unit.session.execute(
                sa.update(Purse).where(Purse.id == id).values(balance=Purse.balance + amount),
                execution_options={"synchronize_session": False},
            )
            if body.fails:
                raise RuntimeError("the power fails")
        await unit.commit()


WAYS = ["async", "sync", "unit"]


@asynccontextmanager
async def bank(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve four purses, and give a client that sees a 500 as an answer."""
    settings = Settings(env="test", _env_file=None)  # type: ignore[call-arg]
    app = create_app(
        [Resource(Purse), router], database=Database(database_url, metadata=Bank.metadata), settings=settings
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bank.test/api/", timeout=30) as client,
    ):
        for _ in range(ACCOUNTS):
            assert (await client.post("purses", json={})).status_code == 201
        yield client


async def balances(client: httpx.AsyncClient) -> list[int]:
    """Read all of them at once, in the sequence of their ids."""
    return [row["balance"] for row in (await client.get("purses?count=none")).json()["purses"]]


@pytest.mark.parametrize("way", WAYS)
async def test_concurrent_transfers_keep_the_sum(database_url: str, way: str) -> None:
    """S45, reliability, transfer between rows: readers never see money that is under way, and none is lost or made."""
    async with bank(database_url) as client:
        done = asyncio.Event()

        async def move(number: int) -> list[int]:
            chance, statuses = random.Random(number), []
            for _ in range(TRANSFERS):
                source, target = chance.sample(range(1, ACCOUNTS + 1), 2)
                body = {"source": source, "target": target, "amount": chance.randrange(1, 60)}
                statuses.append((await client.post(way, json=body)).status_code)
            return statuses

        async def watch() -> None:
            while not done.is_set():
                assert sum(await balances(client)) == ACCOUNTS * BALANCE
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        statuses = [status for found in await asyncio.gather(*map(move, range(CLIENTS))) for status in found]
        done.set()
        await watching
        # Two updates in the sequence of ids may still meet a reader's or the engine's own locks; nothing is half done then.
        assert set(statuses) <= {204, 409 if way != "unit" else 422, 503}
        assert statuses.count(204) > len(statuses) // 4
        final = await balances(client)
        assert (sum(final), min(final) >= 0) == (ACCOUNTS * BALANCE, True)


@pytest.mark.parametrize("way", WAYS)
async def test_a_failure_in_the_middle_moves_nothing(database_url: str, way: str) -> None:
    """S21, S45, S47: the first row was changed, and is as it was again; the next transfer goes through."""
    async with bank(database_url) as client:
        failed = await client.post(way, json={"source": 1, "target": 2, "amount": 30, "fails": True})
        assert (failed.status_code, failed.json()["code"]) == (500, "CLN500")
        assert await balances(client) == [BALANCE] * ACCOUNTS
        assert (await client.post(way, json={"source": 1, "target": 2, "amount": 30})).status_code == 204
        assert await balances(client) == [70, 130, 100, 100]


@pytest.mark.parametrize(("way", "status"), [("async", 409), ("sync", 409), ("unit", 422)])
async def test_what_is_not_there_is_not_moved(database_url: str, way: str, status: int) -> None:
    """S45, S76: refused by a rule of the endpoint's, or by the table's own, and told as a problem."""
    async with bank(database_url) as client:
        refused = await client.post(way, json={"source": 2, "target": 1, "amount": BALANCE + 1})
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
        assert await balances(client) == [BALANCE] * ACCOUNTS
