"""The commands and their options; what each one does stands in a module of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from colonnade.cli.failure import in_one_line

if TYPE_CHECKING:
    from colonnade.core.settings import Settings
    from colonnade.database.migrations import Migrations

commands = typer.Typer(
    name="colonnade",
    help="Serve an application, migrate its database, fill it, look at it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: the painted one takes a quarter of a second to import
)
db = typer.Typer(help="Migrate the database (Alembic).", no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(db, name="db")
jobs = typer.Typer(help="Look at jobs.", no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(jobs, name="jobs")

Application = Annotated[str, typer.Option("--app", help="The application, as module:attribute.", metavar="REF")]
Seeder = Annotated[str, typer.Option("--seeder", help="What fills the database, as module:attribute.", metavar="REF")]
Every = Annotated[bool, typer.Option("--all", help="All that were given up.")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="Ids of jobs that were given up.", metavar="ID...")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the traceback of what goes wrong.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where the migrations are.", metavar="DIR")]

MIGRATIONS = Path("migrations")
APPLICATION = "app.main:app"
SEEDER = "app.seed:seed"


@commands.command()
def serve(
    app: Application = APPLICATION,
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST, 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT, 8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve (WORKERS, 1).")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a file changes.")] = False,
    prepare: Annotated[bool, typer.Option("--prepare", help="First migrate, and fill an empty database.")] = False,
) -> None:
    """Serve the application."""
    from colonnade.cli.serving import Serving, serve
    from colonnade.core.settings import Settings, load_settings

    given = {"host": host, "port": port, "workers": workers}
    settings = load_settings(Settings, **{name: value for name, value in given.items() if value is not None})
    before = (lambda: _prepare(settings)) if prepare else None
    serve(Serving(app, settings, reload=reload), before)


@commands.command()
def worker(app: Application = APPLICATION) -> None:
    """Run the application's jobs until a signal stops it."""
    from colonnade.cli.working import work

    work(app)


@jobs.command("list")
def list_(
    state: Annotated[str, typer.Option(help="queued, running, done or dead; all but done unless given.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 100,
) -> None:
    """List jobs, the newest first."""
    from colonnade.cli.working import show_jobs

    show_jobs(state, limit)


@jobs.command()
def retry(ids: Ids = None, every: Every = False) -> None:
    """Have jobs that were given up tried again."""
    from colonnade.cli.working import change_jobs

    change_jobs("retry", ids or [], every=every)


@jobs.command()
def drop(ids: Ids = None, every: Every = False) -> None:
    """Remove jobs that were given up."""
    from colonnade.cli.working import change_jobs

    change_jobs("drop", ids or [], every=every)


@commands.command()
def seed(
    rows: Annotated[int | None, typer.Argument(help="How many rows (SEED, 1000 in development).", min=0)] = None,
    seeder: Seeder = SEEDER,
) -> None:
    """Fill an empty database with demo data."""
    from colonnade.cli.seeding import seed
    from colonnade.core.settings import Settings, load_settings

    settings = load_settings(Settings)
    seed(settings, seeder, settings.seed if rows is None else rows, MIGRATIONS)


@commands.command()
def routes(app: Application = APPLICATION) -> None:
    """List the application's routes."""
    from colonnade.cli.showing import show_routes

    show_routes(app)


@commands.command()
def check(
    app: Application = APPLICATION,
    folder: Folder = MIGRATIONS,
    deploy: Annotated[bool, typer.Option("--deploy", help="The settings too, as if they were production's.")] = False,
) -> None:
    """Look for what must not go to production; exit code 1 if there is any."""
    from colonnade.cli.check.run import check

    if not check(app, folder, deploy=deploy):
        raise typer.Exit(1)


@commands.command()
def policy(app: Application = APPLICATION) -> None:
    """Show who may do what with which rows and fields."""
    from colonnade.cli.policies import show_policies

    show_policies(app)


@commands.command()
def settings() -> None:
    """Show the settings that count here, secrets hidden."""
    from colonnade.cli.showing import show_settings
    from colonnade.core.settings import Settings, load_settings

    show_settings(load_settings(Settings))


@db.command()
def init(
    models: Annotated[str, typer.Option("--models", help="The module that declares the models.")] = "app.models",
    folder: Folder = MIGRATIONS,
) -> None:
    """Make the folder of the migrations."""
    from colonnade.cli.migrating import init

    for path in init(folder, models):
        print(path)
    print('Next: colonnade db new "first tables", then colonnade db upgrade')


@contextmanager
def _migrating(folder: Path, *, verbose: bool) -> Iterator[Migrations]:
    """Give the migrations of a folder, and show afterwards where the database is."""
    from colonnade.cli.migrating import migrations, show_status

    with in_one_line(folder, verbose=verbose):
        history = migrations(folder)
        yield history
        show_status(history)


@db.command()
def upgrade(
    revision: Annotated[str, typer.Argument()] = "head", folder: Folder = MIGRATIONS, verbose: Verbose = False
) -> None:
    """Bring the database up to a revision."""
    with _migrating(folder, verbose=verbose) as history:
        history.upgrade(revision)


@db.command()
def downgrade(
    revision: Annotated[str, typer.Argument()] = "-1", folder: Folder = MIGRATIONS, verbose: Verbose = False
) -> None:
    """Take the database down to a revision, or `base`."""
    with _migrating(folder, verbose=verbose) as history:
        history.downgrade(revision)


@db.command()
def stamp(
    revision: Annotated[str, typer.Argument()] = "head", folder: Folder = MIGRATIONS, verbose: Verbose = False
) -> None:
    """Note that the database is at a revision, without migrating it."""
    with _migrating(folder, verbose=verbose) as history:
        history.stamp(revision)


@db.command()
def new(
    message: Annotated[str, typer.Argument(help="What the migration does.")],
    folder: Folder = MIGRATIONS,
    verbose: Verbose = False,
) -> None:
    """Write a migration from the models."""
    from colonnade.cli.migrating import migrations

    with in_one_line(folder, verbose=verbose):
        for written in migrations(folder).write(message):
            print(written.path)
            if written.empty:
                print("The models have nothing that the database has not: it is empty, for you to fill in.")


@db.command()
def status(folder: Folder = MIGRATIONS, verbose: Verbose = False) -> None:
    """Show what is ahead; exit code 1 if anything is."""
    from colonnade.cli.migrating import migrations, show_status

    with in_one_line(folder, verbose=verbose):
        stands = show_status(migrations(folder))
    if not stands:
        raise typer.Exit(1)


def _prepare(settings: Settings) -> None:
    from sqlalchemy import make_url

    from colonnade.cli.migrating import migrations
    from colonnade.cli.seeding import seed
    from colonnade.database.urls import is_memory

    if is_memory(make_url(settings.database_url.get_secret_value())):
        print("A database in memory: its tables are made when the server starts, and it has no demo data.")
        return
    migrations(MIGRATIONS, settings).upgrade("head")
    if settings.seed:
        seed(settings, SEEDER, settings.seed, MIGRATIONS)
