"""Filling a database with demo data, under a progress bar."""

from __future__ import annotations

import asyncio
import inspect
import time
from pathlib import Path
from typing import Any

from colonnade.cli.application import find
from colonnade.cli.failure import CommandError
from colonnade.core.settings import Settings


def seed(settings: Settings, reference: str, rows: int, folder: Path) -> None:
    """Run an application's seeder: `seed(database, rows, advance) -> int`, sync or async.

    The seeder fills an empty database and leaves a filled one alone. It calls `advance(n)` after each `n` rows and
    gives the number of rows that it stored, 0 when it found the database filled.

    Args:
        settings: name the database.
        reference: the seeder, e.g. `app.seed:seed`.
        rows: how many rows to make, roughly.
        folder: of the project's migrations, where it has any.

    Raises:
        CommandError: the database refused, and has not had all of the project's migrations.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        asyncio.run(_seed(settings, find(reference, "--seeder"), rows))
    except DBAPIError as error:
        if _is_behind(settings, folder):
            raise CommandError("the database lacks migrations; run 'colonnade db upgrade' first") from error
        raise


def _is_behind(settings: Settings, folder: Path) -> bool:
    from colonnade.cli.migrating import migrations

    return (folder / "env.py").is_file() and bool(migrations(folder, settings).status()[1])


async def _seed(settings: Settings, seeder: Any, rows: int) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from colonnade.database.database import Database

    columns = (TextColumn("Demo data"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console()
    started = time.perf_counter()
    database = Database(settings.database_url.get_secret_value())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("rows", total=rows)
            stored = seeder(database, rows, lambda count: progress.advance(bar, count))
            stored = await stored if inspect.isawaitable(stored) else stored
    finally:
        await database.dispose()
    if stored:
        seconds = max(time.perf_counter() - started, 0.001)
        console.print(f"Demo data: {stored:,} rows in {seconds:.1f} s ({stored / seconds:,.0f} rows a second)")
    elif rows:
        console.print("Demo data: the tables are filled already; nothing was added.")
