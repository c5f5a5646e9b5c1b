"""One piece of work that is asked for, and how it becomes a row in the transaction of whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from colonnade.core.errors import DeclarationError
from colonnade.models.clock import utc_now
from colonnade.models.jobs import JOBS, MAX_KEY, JobState
from colonnade.models.mixins import uuid7
from colonnade.query.compile import CompiledStatement, Statement, compile_statement


class InTransaction(Protocol):
    """What has the session of an open transaction: a `Change` inside its hooks, a `UnitOfWork`, a `JobRun`'s own."""

    @property
    def session(self) -> AsyncSession:
        """The session."""
        ...


Where: TypeAlias = AsyncSession | InTransaction


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One piece of work with its arguments; nothing happens before it is stored.

    Attributes:
        name: of the job.
        arguments: by name, as JSON has them.
        due_at: when it may run; at once when None.
        key: while a job with this key waits or runs, asking for another one does nothing.
    """

    name: str
    arguments: Mapping[str, Any]
    due_at: datetime | None = None
    key: str | None = None

    def at(self, time: datetime) -> JobRequest:
        """Ask for the same later: not before an aware time."""
        return replace(self, due_at=time)

    def once(self, key: str) -> JobRequest:
        """Ask for the same unless a job with this key waits or runs already.

        Args:
            key: at most 200 characters, of all jobs; begin it with the job's name.

        Raises:
            DeclarationError: the key is empty or too long.
        """
        if not 1 <= len(key) <= MAX_KEY:
            raise DeclarationError(f"a job's key has 1 to {MAX_KEY} characters; this one has {len(key)}")
        return replace(self, key=key)

    async def enqueue(self, where: Where) -> UUID | None:
        """Store it in an open transaction: it runs if, and only if, that commits.

        Args:
            where: a `Change` in a hook (`before_...`, `after_...`), a unit of work, or any `AsyncSession`.

        Returns:
            The job's id; None when a job with its key waits or runs already.
        """
        session = where if isinstance(where, AsyncSession) else where.session
        row, connection = self.row(), await session.connection()
        stored: Any = await session.execute(self._insert(connection.dialect.name).values(row))
        return row["id"] if stored.rowcount else None

    def enqueue_sync(self, session: Session) -> UUID | None:
        """Store it in the open transaction of a sync session, as `enqueue` does in that of an asynchronous one."""
        row = self.row()
        stored: Any = session.execute(self._insert(session.connection().dialect.name).values(row))
        return row["id"] if stored.rowcount else None

    def _insert(self, dialect: str) -> Any:
        insert = sa.insert(JOBS) if self.key is None else insert_once(dialect)
        # SQLAlchemy asks psycopg for the count of an INSERT only when it is told to.
        return insert.execution_options(preserve_rowcount=True)

    def row(self) -> dict[str, Any]:
        """Make the new row of its table."""
        now = utc_now()
        return {
            "id": uuid7(),
            "name": self.name,
            "arguments": dict(self.arguments),
            "state": JobState.QUEUED,
            "due_at": self.due_at or now,
            "key": self.key,
            "attempts": 0,
            "progress": 0.0,
            "created_at": now,
        }


class PlannedJobs:
    """Stores work by planned statements, which are part of somebody else's transaction on the compiled way."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, bool], CompiledStatement] = {}

    def statement(self, request: JobRequest, dialect: sa.Dialect) -> Statement:
        """Bind one piece of work into the statement that stores it; one with a key that is taken stores nothing."""
        shape = (f"{dialect.name}+{dialect.driver}", request.key is not None)
        if (plan := self._plans.get(shape)) is None:
            insert = sa.insert(JOBS) if request.key is None else insert_once(dialect.name)
            row = {name: sa.bindparam(name, type_=JOBS.c[name].type) for name in request.row()}
            plan = self._plans[shape] = compile_statement(insert.values(row), dialect)
        return plan.bind(request.row())


async def enqueue_all(session: AsyncSession, requests: Iterable[JobRequest]) -> None:
    """Store many pieces of work in an open transaction: those without a key in one statement."""
    rows: list[dict[str, Any]] = []
    for request in requests:
        if request.key is None:
            rows.append(request.row())
        else:
            await request.enqueue(session)
    if rows:
        await session.execute(sa.insert(JOBS), rows)


def insert_once(dialect: str) -> Any:
    """Make an INSERT that stores no second row with a key; its row count says whether it stored one."""
    if dialect == "postgresql":
        return postgresql.insert(JOBS).on_conflict_do_nothing(index_elements=[JOBS.c.key])
    if dialect == "sqlite":
        return sqlite.insert(JOBS).on_conflict_do_nothing(index_elements=[JOBS.c.key])
    # What else IGNORE would let pass can't happen: names and keys were measured, and nothing is missing.
    return sa.insert(JOBS).prefix_with("IGNORE")
