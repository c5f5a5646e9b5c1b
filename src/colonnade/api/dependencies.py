"""Dependencies for the user's own endpoints: a session of the application's database, async or sync, and who calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from colonnade.api.route import get_database, runtime_of
from colonnade.database.database import Database
from colonnade.policy.principal import Principal

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def get_principal(request: Request, response: Response) -> Principal:
    """Dependency: who sends the request; `ANONYMOUS` where no credentials came with it.

    Raises:
        UnauthenticatedError: CLN300, they do not hold.
    """
    principal = await runtime_of(request.app).who(request.scope)
    if not principal.is_anonymous:
        response.headers["cache-control"] = "no-store"
    return principal


async def get_db(request: Request, database: Annotated[Database, Depends(get_database)]) -> AsyncIterator[AsyncSession]:
    """Give an `AsyncSession` of this request alone: rolled back unless the endpoint commits, closed always (S38, S47).

    Commit in the endpoint, before it returns: what a dependency does after its `yield` comes after the response. A
    session of a GET or HEAD is for reading: on SQLite it takes no write lock, PostgreSQL and MariaDB let it write nothing.
    """
    async with database.session(read_only=request.method in _SAFE) as session:
        yield session


def get_sync_db(request: Request, database: Annotated[Database, Depends(get_database)]) -> Iterator[Session]:
    """Give a sync `Session` to an endpoint that is a plain `def`; it runs in FastAPI's thread pool (S25).

    Rolled back unless the endpoint commits, closed always; what the database refuses is answered as a problem.
    """
    with database.sync_sessions() as session:
        try:
            yield session
        except Exception as error:
            if (problem := database.translate(error)) is not None:
                raise problem from error
            raise
