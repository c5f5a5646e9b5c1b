"""The reference application on a fresh database, asked as a client asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.main import build
from colonnade import Base, Database, Settings
from colonnade.security import passwords
from tests.shop import administrator_of, anybody_of, let_act


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask the API on SQLite in memory, and not in a file a second time, unless a test or the command line names that.

    What a file does otherwise is tested where it differs: in `tests/database` and `tests/reliability`.
    """
    if config.getoption("--databases"):
        return
    twice = [item for item in items if _is_asked_twice(item)]
    config.hook.pytest_deselected(items=twice)
    left = {id(item) for item in twice}
    items[:] = [item for item in items if id(item) not in left]


def _is_asked_twice(item: pytest.Item) -> bool:
    chosen = item.get_closest_marker("databases")
    callspec = getattr(item, "callspec", None)
    if chosen is not None or callspec is None or item.path.parent != Path(__file__).parent:
        return False
    return bool(callspec.params.get("database_url") == "sqlite-file")


_QUICK = PasswordHash((Argon2Hasher(memory_cost=64, time_cost=1, parallelism=1),))


@pytest.fixture(autouse=True)
def quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash the passwords of a test's users in no time, but where a test is about what is stored."""
    if request.node.get_closest_marker("real_hashes") is None:
        monkeypatch.setattr(passwords, "_HASHER", _QUICK)


@pytest.fixture
async def shop_app(database_url: str) -> AsyncIterator[FastAPI]:
    """The reference application, started, on an empty database."""
    settings = Settings(env="test", _env_file=None)
    app = build(settings, Database(database_url, pool=settings.pool, metadata=Base.metadata))
    async with app.router.lifespan_context(let_act(app)):
        yield app


@pytest.fixture
async def shop(shop_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, an administrator's unless it sends a token; paths are relative to `/api/`."""
    async with administrator_of(shop_app) as client:
        yield client


@pytest.fixture
async def anybody(shop_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it that sends no credentials."""
    async with anybody_of(shop_app) as client:
        yield client
