"""The first administrator: made when the application starts, once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
import sqlalchemy as sa

from app.main import build
from app.models import User
from colonnade import Base, Database, Settings
from tests.shop import HOST, bearer, sign_in

pytestmark = pytest.mark.anyio

EMAIL, SECRET = "Admin@example.com", "a-first-password-1"


def settings(**values: object) -> Settings:
    """Give the settings of an application that makes an administrator."""
    given = {"env": "test", "admin_email": EMAIL, "admin_password": SECRET, **values}
    return Settings(**given, _env_file=None)  # type: ignore[arg-type]


async def test_the_administrator_is_made_once(database_url: str) -> None:
    """S78: three workers that start at once make one; it signs in, and is an administrator."""
    databases = [Database(database_url, metadata=Base.metadata) for _ in range(3)]
    first = build(settings(), databases[0])
    async with AsyncExitStack() as stack:
        # The tables are there before the workers start, as migrations see to.
        await stack.enter_async_context(first.router.lifespan_context(first))
        async with databases[0].unit_of_work() as unit:
            await unit.session.execute(sa.delete(User))
            await unit.commit()
        if database_url == "sqlite://":
            databases = databases[:1]  # each has a database of its own
        from app.core.security import accounts

        await asyncio.gather(*(accounts.prepare(database, settings()) for database in databases))
        for database in databases[1:]:
            await database.dispose()
        client = httpx.AsyncClient(transport=httpx.ASGITransport(first), base_url=f"{HOST}/api/")
        shop = await stack.enter_async_context(client)
        header = bearer(await sign_in(shop, EMAIL, SECRET))
        assert (await shop.get("users", headers=header)).json()["total"] == 1
        row = (await shop.get("users/me", headers=header)).json()
        assert (row["email"], row["role"], row["is_active"]) == ("admin@example.com", "admin", True)


@pytest.mark.databases("sqlite-file")
async def test_a_second_start_changes_nothing(database_url: str) -> None:
    """S78: a new password stays, and who was deleted does not come back."""
    for _ in range(2):
        app = build(settings(), Database(database_url, metadata=Base.metadata))
        async with app.router.lifespan_context(app):
            async with app.state.database.unit_of_work() as unit:
                found = await unit.session.scalar(sa.select(sa.func.count()).select_from(User.__table__))
                await unit.session.execute(sa.update(User.__table__).values(is_deleted=True, alive=None))
                await unit.commit()
            assert found == 1


@pytest.mark.databases("sqlite-file")
async def test_without_tables_the_application_starts(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """S46, S78: before the migrations ran there is no administrator, and the log says so; never the password."""
    production = settings(env="staging", secret_key="k" * 32)
    app = build(production, Database(database_url, metadata=Base.metadata))
    async with app.router.lifespan_context(app):
        assert "migrate" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in repr(production)
