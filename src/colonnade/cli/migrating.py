"""The `db` commands on the database that the settings name."""

from __future__ import annotations

from pathlib import Path

from colonnade.cli.failure import CommandError
from colonnade.core.settings import Settings, load_settings
from colonnade.database.migrations import Migrations


def migrations(folder: Path, settings: Settings | None = None) -> Migrations:
    """Give the migrations of a folder for the database of the settings.

    Raises:
        CommandError: the folder has no migrations.
    """
    settings = settings or load_settings(Settings)
    if not (folder / "env.py").is_file():
        raise CommandError(f"no env.py in {folder.absolute()}; name the folder of the migrations with --folder")
    return Migrations(folder, settings.database_url.get_secret_value())


def show_status(migrations: Migrations) -> bool:
    """Print where the database stands and what is ahead; True when nothing is."""
    current, ahead = migrations.status()
    print(f"database at {current or 'nothing yet'}")
    for revision, title in ahead:
        print(f"ahead: {revision} {title}")
    return not ahead
