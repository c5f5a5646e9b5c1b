"""Liveness, readiness and the welcome at the root (S34, S64)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from colonnade.api import health
from colonnade.api.health import ReadinessCheck, health_router, migrations_applied
from colonnade.api.middleware import CatchAll, StandardHeaders
from colonnade.core.errors import DatabaseAwayError, DeclarationError
from colonnade.database.migration_files import read_revisions

pytestmark = pytest.mark.anyio


@dataclass
class StandIn:
    """In the place of a `Database`: what readiness needs of one."""

    ping: Callable[[], Awaitable[None]]
    engine: AsyncEngine | None = None


async def answers() -> None:
    """A database that is there."""


async def is_away() -> None:
    """A database that is not."""
    raise DatabaseAwayError


async def hangs() -> None:
    """A database behind a black hole."""
    await asyncio.sleep(60)


def client(database: StandIn | None = None, *checks: ReadinessCheck, root_path: str = "") -> httpx.AsyncClient:
    """A client of an application that has only the health routes."""
    app = FastAPI(title="Bookshop", version="1.2.3")
    if database is not None:
        app.state.database = database
    app.include_router(health_router(checks=checks))
    app.add_middleware(CatchAll)
    app.add_middleware(StandardHeaders)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, root_path=root_path), base_url="http://api.test")


@pytest.mark.parametrize(("path", "status"), [("/health", "healthy"), ("/health/live", "alive")])
async def test_alive_without_a_database(path: str, status: str) -> None:
    """S34: the service says that it is healthy, and asks no database for it."""
    async with client() as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": status})
    assert answer.headers["cache-control"] == "no-store"


async def test_ready_when_the_database_answers() -> None:
    """S34: ready is when the database answers."""
    async with client(StandIn(answers)) as http:
        answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_not_ready_when_the_database_is_away() -> None:
    """S34: without its database the service is alive and not ready."""
    async with client(StandIn(is_away)) as http:
        answer = await http.get("/health/ready")
        assert (await http.get("/health/live")).status_code == 200
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["code"] == "CLN510"
    assert int(answer.headers["retry-after"]) >= 1


async def test_not_ready_when_the_database_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """S34: a probe gets its answer in time, even when the database gives none."""
    monkeypatch.setattr(health, "READY_DEADLINE", 0.05)
    async with client(StandIn(hangs)) as http:
        assert (await http.get("/health/ready")).status_code == 503


async def test_not_ready_when_a_check_fails() -> None:
    """S34: the application's own checks count too."""

    async def warming_up(request: Request) -> None:
        raise DatabaseAwayError("Warming up.")

    async with client(StandIn(answers), warming_up) as http:
        answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "Warming up.")


@pytest.mark.parametrize(
    ("statements", "status"),
    [
        ([], 503),
        (["CREATE TABLE alembic_version (version_num TEXT)"], 503),
        (["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0001')"], 503),
        (["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0002')"], 200),
        (["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0003')"], 200),
    ],
    ids=["never migrated", "empty", "behind", "at head", "ahead"],
)
async def test_ready_is_when_migrations_are_applied(statements: list[str], status: int, tmp_path: Path) -> None:
    """S34: a service in front of an older schema gets no requests yet, one in front of a newer one still does."""
    (tmp_path / "versions").mkdir()
    for revision, before in (("0001", None), ("0002", "0001")):
        migration = f'revision: str = "{revision}"\ndown_revision: str | None = {before!r}\n'
        (tmp_path / "versions" / f"{revision}.py").write_text(migration)
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    async with client(StandIn(answers, engine), migrations_applied(tmp_path)) as http:
        assert (await http.get("/health/ready")).status_code == status
    await engine.dispose()


def test_a_folder_without_migrations_is_told_at_once(tmp_path: Path) -> None:
    """S34: a misspelt folder would make each deployment look ready."""
    with pytest.raises(DeclarationError, match="no migrations in"):
        migrations_applied(tmp_path)


def test_the_reference_applications_migrations_are_read() -> None:
    """S34: the newest is the last file's, and every other one is followed by another."""
    folder = Path(__file__).parents[2] / "migrations"
    newest, older = read_revisions(folder)
    names = sorted(path.name[:4] for path in (folder / "versions").glob("*.py"))
    assert (sorted(newest), sorted(older)) == (names[-1:], names[:-1])


@pytest.mark.parametrize("path", ["/", "/health", "/health/live", "/health/ready"])
async def test_head_works(path: str) -> None:
    """S34: a probe may ask by HEAD."""
    async with client(StandIn(answers)) as http:
        assert (await http.head(path)).status_code == 200


async def test_root_says_where_to_look() -> None:
    """S64: the root gives a message and where the documentation stands, under the public path."""
    async with client(root_path="/shop") as http:
        answer = await http.get("/", headers={"Host": "evil.test"})
    assert answer.json() == {"message": "Bookshop 1.2.3", "docs": "/shop/docs", "redoc": "/shop/redoc"}


async def test_health_is_documented() -> None:
    """S28: each route stands in the OpenAPI document once, readiness with its 503."""
    async with client() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    assert {path: list(operations) for path, operations in paths.items()} == {
        "/": ["get"],
        "/health": ["get"],
        "/health/live": ["get"],
        "/health/ready": ["get"],
    }
    assert "503" in paths["/health/ready"]["get"]["responses"]
