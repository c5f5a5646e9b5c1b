"""Running an application's jobs in a process of their own, and looking at them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal, TypeVar
from uuid import UUID

from colonnade.cli.application import find
from colonnade.cli.failure import CommandError
from colonnade.cli.showing import show_table
from colonnade.core.settings import Settings, load_settings
from colonnade.database.database import Database
from colonnade.jobs.inspection import drop_jobs, list_jobs, retry_jobs
from colonnade.models.jobs import JobState

Result = TypeVar("Result")


def work(reference: str) -> None:
    """Run the jobs of an application until SIGTERM or SIGINT; those under way then end, or are given back.

    The application is started as a server starts it, and serves nothing.

    Args:
        reference: the application, e.g. `app.main:app`.

    Raises:
        CommandError: it has no jobs.
        DatabaseAwayError: CLN510, its database does not answer.
    """
    app = find(reference)
    runtime = getattr(getattr(app, "state", None), "colonnade", None)
    if runtime is None or not runtime.jobs:
        raise CommandError(f"{reference} has no jobs; give them to create_app(jobs=[...])")
    runtime.runs_jobs = True
    asyncio.run(_work(app, [job.name for job in runtime.jobs]))


async def _work(app: Any, names: list[str]) -> None:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with app.router.lifespan_context(app):
        print(f"Working at: {', '.join(names)}", flush=True)
        await stopping.wait()


def show_jobs(state: str, limit: int) -> None:
    """Print jobs, the newest first; their arguments are nobody's business.

    Raises:
        CommandError: there is no such state.
    """
    if state and state not in set(JobState):
        raise CommandError(f"no state {state!r}; there are {', '.join(JobState)}")
    found = _asked(lambda database: list_jobs(database, JobState(state) if state else None, limit))
    head = ("id", "name", "state", "attempts", "due_at", "progress", "error")
    show_table(head, ([_text(row[name]) for name in head] for row in found))


def change_jobs(what: Literal["retry", "drop"], ids: Collection[UUID], *, every: bool) -> None:
    """Have jobs that were given up tried again, or remove them, and print how many.

    Raises:
        CommandError: neither ids nor `--all` were given, or both.
    """
    if bool(ids) == every:
        raise CommandError("name the jobs by their ids, or say --all")
    change, told = (retry_jobs, "tried again") if what == "retry" else (drop_jobs, "dropped")
    count = _asked(lambda database: change(database, ids))
    print(f"{count} job{'s' * (count != 1)} {told}")


def _asked(work: Callable[[Database], Awaitable[Result]]) -> Result:
    async def ask() -> Result:
        database = Database(load_settings(Settings).database_url.get_secret_value())
        try:
            return await work(database)
        finally:
            await database.dispose()

    return asyncio.run(ask())


def _text(value: object) -> str:
    return "" if value is None else str(value)
