"""Is the service alive, is it ready, and where to look: `/`, `/health`, `/health/live` and `/health/ready`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Select, String, column, select, table
from sqlalchemy.exc import SQLAlchemyError

from colonnade.core.errors import DatabaseAwayError
from colonnade.database.migration_files import read_revisions

HEALTH_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
"""Asked by what watches over the service: by its address, often, from one place."""

READY_DEADLINE = 3.0  # seconds; a probe that waits longer learns nothing more

ReadinessCheck = Callable[[Request], Awaitable[None]]
"""Raises a `ProblemError` of status 503 when the service should get no requests yet."""

_NOT_STORED = {"Cache-Control": "no-store"}
_APPLIED: Select[str] = select(column("version_num", String)).select_from(table("alembic_version"))


class Healthy(BaseModel):
    """The service answers."""

    status: Literal["healthy"]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Ready(BaseModel):
    """The service can do its work."""

    status: Literal["ready"]


class Welcome(BaseModel):
    """What this is and where its documentation stands."""

    message: str
    docs: str
    redoc: str


async def database_answers(request: Request) -> None:
    """Ask the application's database for a sign of life (one statement).

    Raises:
        DatabaseAwayError: CLN510, from `Database.ping`.
    """
    await request.app.state.database.ping()


def migrations_applied(folder: str | Path) -> ReadinessCheck:
    """Make a check that the database has every migration of the application; for `create_app(checks=[...])`.

    It may be ahead: while a migration rolls out, what still serves is older than its database, and must go on.

    Args:
        folder: of the migrations; read here, once.

    Returns:
        A check of one statement; it raises `DatabaseAwayError` (CLN510) when the database stands at none of them, or at an
        earlier one than the newest. A revision that is not among them is a later one's.

    Raises:
        DeclarationError: the folder has no migrations.
    """
    newest, older = read_revisions(Path(folder))

    async def check(request: Request) -> None:
        try:
            async with request.app.state.database.engine.connect() as connection:
                applied = set((await connection.execute(_APPLIED)).scalars())
        except SQLAlchemyError:
            applied = set()  # no such table: nothing was ever migrated. A database that is away was found before.
        if not newest <= applied and (not applied or applied & older):
            raise DatabaseAwayError("The database lacks migrations of the application.")

    return check


def health_router(
    *, checks: Sequence[ReadinessCheck] = (), docs_path: str = "/docs", redoc_path: str = "/redoc"
) -> APIRouter:
    """Make the router of the service's own state; it belongs at the root, outside of the API's prefix.

    Args:
        checks: what must hold, beside the database's answer, before the service is ready; run in order.
        docs_path: where Swagger UI stands.
        redoc_path: where ReDoc stands.
    """
    router = APIRouter(tags=["service"])

    # All of them on the event loop: a thread pool that is full of work must not delay a probe.
    async def healthy() -> JSONResponse:
        """Say that the service answers; no database is asked."""
        return JSONResponse({"status": "healthy"}, headers=_NOT_STORED)

    async def alive() -> JSONResponse:
        """Say that the process answers; no database is asked, so that a database outage restarts nothing."""
        return JSONResponse({"status": "alive"}, headers=_NOT_STORED)

    async def ready(request: Request) -> JSONResponse:
        """Say whether requests can be served: the database answers, and what else the application asks for holds."""
        await _run((database_answers, *checks), request)
        return JSONResponse({"status": "ready"}, headers=_NOT_STORED)

    async def welcome(request: Request) -> JSONResponse:
        """Say what this is and where its documentation stands."""
        root = request.scope.get("root_path", "").rstrip("/")
        places = {"docs": root + docs_path, "redoc": root + redoc_path}
        return JSONResponse({"message": f"{request.app.title} {request.app.version}", **places})

    unready = {503: {"description": "Not ready", "content": {"application/problem+json": {}}}}
    _add(router, "/", welcome, Welcome, "Welcome")
    _add(router, "/health", healthy, Healthy, "Health")
    _add(router, "/health/live", alive, Alive, "Liveness")
    _add(router, "/health/ready", ready, Ready, "Readiness", responses=unready)
    return router


def _add(
    router: APIRouter, path: str, endpoint: Callable[..., Any], model: type[BaseModel], summary: str, **more: Any
) -> None:
    more["operation_id"] = summary.lower()
    router.add_api_route(path, endpoint, methods=["GET"], response_model=model, summary=summary, **more)
    # FastAPI's GET does not answer HEAD, which probes like; one operation for both would have one id twice.
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


async def _run(checks: Iterable[ReadinessCheck], request: Request) -> None:
    try:
        async with asyncio.timeout(READY_DEADLINE):
            for check in checks:
                await check(request)
    except TimeoutError:
        raise DatabaseAwayError(f"No sign of life within {READY_DEADLINE:g} s.") from None
