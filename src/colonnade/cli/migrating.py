"""The `db` commands on the database that the settings name."""

from __future__ import annotations

from pathlib import Path

from colonnade.cli.application import find
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
        raise CommandError(
            f"no env.py in {folder.absolute()}; make one with 'colonnade db init', or name another folder with --folder"
        )
    return Migrations(folder, settings.database_url.get_secret_value())


_ENV = '''"""What Alembic runs for `colonnade db ...`: the models that count, and nothing else."""

import {models}  # noqa: F401 - each model puts its table into Base.metadata when it is imported
from colonnade import Base, run_migrations

run_migrations(Base.metadata)
'''
_TEMPLATE = "script.py.mako"


def init(folder: Path, models: str) -> list[Path]:
    """Make a folder for the migrations of a project's models.

    Args:
        folder: of the migrations; made where it is not there.
        models: the module whose import declares the models, e.g. `app.models`.

    Returns:
        The files written.

    Raises:
        CommandError: the folder has migrations already, or there is no such module.
    """
    if (folder / "env.py").exists():
        raise CommandError(f"{folder.absolute()} has an env.py already; 'colonnade db new' writes a migration")
    try:
        find(f"{models}:__name__")
    except CommandError:
        raise CommandError(
            f"no module {models!r} in {Path.cwd()}; name the one that declares your models with --models"
        ) from None
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    texts = {"env.py": _ENV.format(models=models), _TEMPLATE: Path(__file__).with_name(_TEMPLATE).read_text("utf-8")}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in texts]


def show_status(migrations: Migrations) -> bool:
    """Print where the database stands and what is ahead; True when nothing is."""
    current, ahead = migrations.status()
    print(f"database at {current or 'nothing yet'}")
    for revision, title in ahead:
        print(f"ahead: {revision} {title}")
    return not ahead
