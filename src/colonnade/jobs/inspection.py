"""Looking at jobs, and having those that were given up tried again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.models.jobs import JOBS, JobState

MAX_LISTED = 1_000

OVERDUE = timedelta(minutes=1)
"""How long a job may be due before it is told that nobody takes it."""

# The arguments are left out: a mailed link, or an address, is nobody's business here.
_SHOWN = [JOBS.c[name] for name in ("id", "name", "state", "attempts", "due_at", "progress", "error", "created_at")]


async def job_counts(database: Database) -> Mapping[str, int]:
    """Count the jobs that are not done, by their state: `{"queued": ..., "running": ..., "dead": ...}`; one statement."""
    states = [state for state in JobState if state is not JobState.DONE]
    counted = (
        sa.select(JOBS.c.state, sa.func.count().label("number")).where(JOBS.c.state.in_(states)).group_by(JOBS.c.state)
    )
    async with database.session(read_only=True) as session:
        found = {row.state: row.number for row in await session.execute(counted)}
    return {state.value: found.get(state, 0) for state in states}


async def overdue_jobs(database: Database) -> Mapping[str, int]:
    """Count the jobs that nobody has taken though they have been due for a minute, by their names; one statement.

    Every worker is busy then, or there is none, or none has a job of that name.
    """
    overdue = (JOBS.c.due_at <= utc_now() - OVERDUE, JOBS.c.state == JobState.QUEUED)
    counted = sa.select(JOBS.c.name, sa.func.count().label("number")).where(*overdue).group_by(JOBS.c.name)
    async with database.session(read_only=True) as session:
        return {row.name: row.number for row in await session.execute(counted)}


async def list_jobs(database: Database, state: JobState | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
    """Give jobs, the newest first.

    Args:
        database: where they are.
        state: those of one state; all but the done ones when None.
        limit: how many at most.
    """
    wanted = JOBS.c.state != JobState.DONE if state is None else JOBS.c.state == state
    chosen = sa.select(*_SHOWN).where(wanted).order_by(JOBS.c.id.desc()).limit(min(limit, MAX_LISTED))
    async with database.session(read_only=True) as session:
        return [dict(row) for row in (await session.execute(chosen)).mappings()]


async def retry_jobs(database: Database, ids: Collection[UUID] = ()) -> int:
    """Have jobs that were given up tried again at once, all their attempts anew.

    Args:
        database: where they are.
        ids: of which; all that were given up when there are none.

    Returns:
        How many.
    """
    again = {"state": JobState.QUEUED, "due_at": utc_now(), "attempts": 0, "finished_at": None}
    return await _change(database, ids, sa.update(JOBS).values(again))


async def drop_jobs(database: Database, ids: Collection[UUID] = ()) -> int:
    """Remove jobs that were given up.

    Args:
        database: where they are.
        ids: of which; all that were given up when there are none.

    Returns:
        How many.
    """
    return await _change(database, ids, sa.delete(JOBS))


async def _change(database: Database, ids: Collection[UUID], statement: Any) -> int:
    statement = statement.where(JOBS.c.state == JobState.DEAD)
    if ids:
        statement = statement.where(JOBS.c.id.in_(ids))
    async with database.unit_of_work() as unit:
        changed: Any = await unit.session.execute(statement)
        await unit.commit()
    return int(changed.rowcount)
