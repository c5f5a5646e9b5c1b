"""What was verified of an account's address does not outlive a change of the address, whichever way that goes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import (
    AccountMixin,
    Accounts,
    Change,
    Database,
    DeclarationError,
    IntegerId,
    Listing,
    Policy,
    Resource,
    Routes,
    Service,
    Settings,
    account_tables,
    allow,
    anyone,
    create_app,
    utc_now,
)

pytestmark = pytest.mark.anyio


IN_A_BATCH = {"id": "a", "method": "PATCH", "path": "/api/associates/1", "body": {"email": "eve@example.com"}}
MEMORY = pytest.mark.databases("sqlite-memory")


class Club(DeclarativeBase):
    """The base of this application's model."""


class Associate(AccountMixin, IntegerId, Club):
    """Somebody who may change the address."""

    __tablename__ = "associates"
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    nick: Mapped[str | None] = mapped_column(sa.String(20), unique=True)


account_tables(Associate)


class Watched(Service):
    """Sends each change through a session."""

    async def before_update(self, change: Change) -> None:
        """Look on."""


@pytest.fixture(params=[Service, Watched])
async def database(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Database]:
    """A database with one account whose address is verified, served by both ways in turn; see `client`."""
    found = Database(database_url, metadata=Club.metadata)
    policy = Policy(allow("everything", to=anyone))
    listing = Listing(filters=["nick"])
    resource = Resource(
        Associate,
        listing=listing,
        service=request.param(),
        routes=Routes(replace="partial", upsert=("nick",)),
        policy=policy,
    )
    app = create_app([resource], accounts=Accounts(Associate), database=found, settings=Settings(env="test"))
    async with app.router.lifespan_context(app):
        async with found.unit_of_work() as unit:
            unit.session.add(
                Associate(email="ada@example.com", nick="ada", hashed_password="x", email_verified_at=utc_now())
            )
            await unit.commit()
        found.app = app  # type: ignore[attr-defined]  # for `client`
        yield found


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    transport = httpx.ASGITransport(database.app)  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=transport, base_url="http://club.test/api/associates") as found:
        yield found


async def is_verified(database: Database) -> bool:
    """Look at the account's row."""
    async with database.session(read_only=True) as session:
        return await session.scalar(sa.select(Associate.email_verified_at)) is not None


@MEMORY
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/1", {"email": "eve@example.com"}),
        ("PUT", "/1", {"email": "eve@example.com"}),
        ("PATCH", "/bulk", {"ids": [1], "set": {"email": "eve@example.com"}}),
        ("PATCH", "/bulk", {"items": [{"id": 1, "email": "eve@example.com"}]}),
        ("PATCH", "/bulk", {"filter": {"nick": "ada"}, "max_affected": 1, "set": {"email": "eve@example.com"}}),
        ("PUT", "/bulk", {"items": [{"nick": "ada", "email": "eve@example.com"}]}),
        ("POST", "http://club.test/api/batch", {"operations": [IN_A_BATCH]}),
    ],
)
async def test_a_new_address_is_not_verified(
    client: httpx.AsyncClient, database: Database, method: str, path: str, body: dict[str, object]
) -> None:
    """Else somebody could verify his own, change it to a victim's, and be joined to by the victim's provider."""
    assert (await client.request(method, path, json=body)).status_code == 200
    assert not await is_verified(database)


@pytest.mark.databases("postgresql", "mariadb")
async def test_every_database_compares_with_the_address_that_was(client: httpx.AsyncClient, database: Database) -> None:
    """What an UPDATE assigns first counts on MariaDB: the comparison has to come before the new address."""
    assert (await client.patch("/1", json={"email": "ada@example.com"})).status_code == 200
    assert (await client.patch("/bulk", json={"ids": [1], "set": {"email": "ada@example.com"}})).status_code == 200
    assert await is_verified(database)
    assert (await client.patch("/1", json={"email": "eve@example.com"})).status_code == 200
    assert not await is_verified(database)


@MEMORY
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/1", {"nick": "lovelace"}),
        ("PUT", "/1", {"email": "ada@example.com", "nick": "ada"}),
        ("PATCH", "/bulk", {"ids": [1], "set": {"email": "ada@example.com"}}),
    ],
)
async def test_an_address_that_stays_stays_verified(
    client: httpx.AsyncClient, database: Database, method: str, path: str, body: dict[str, object]
) -> None:
    """Neither a change of something else nor a whole row that is sent back has a new address."""
    assert (await client.request(method, path, json=body)).status_code == 200
    assert await is_verified(database)


@MEMORY
async def test_a_session_of_the_application_clears_it_too(database: Database) -> None:
    """An endpoint of the application's own changes the attribute, and has to think of nothing."""
    async with database.unit_of_work() as unit:
        account = await unit.session.get_one(Associate, 1)
        account.email = "eve@example.com"
        await unit.commit()
    assert not await is_verified(database)


@MEMORY
async def test_a_session_may_say_that_the_new_address_is_verified(database: Database) -> None:
    """Who changes both has asked."""
    async with database.unit_of_work() as unit:
        account = await unit.session.get_one(Associate, 1)
        account.email, account.email_verified_at = "eve@example.com", utc_now()
        await unit.commit()
    assert await is_verified(database)


def test_an_address_of_another_name_has_to_be_declared() -> None:
    """`Accounts(email=...)` of a field that nothing is cleared with is refused, with what to write."""

    class Visitor(AccountMixin, IntegerId, Club):
        __tablename__ = "visitors_of_the_club"
        mail: Mapped[str] = mapped_column(sa.String(254))

    with pytest.raises(DeclarationError, match=r"cleared_with.*mail"):
        Accounts(Visitor, login=("mail",), email="mail")
