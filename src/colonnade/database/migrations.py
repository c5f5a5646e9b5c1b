"""Migrations: Alembic over the database that Colonnade uses, with one async engine for every dialect.

`Migrations` is what a program calls; `run_migrations` is what a project's `migrations/env.py` calls back. None of it
may be called on a running event loop: it runs one of its own (`asyncio.to_thread` from async code).
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from alembic import command, context
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import DropIndexOp, DropTableOp, MigrationScript, ModifyTableOps
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError, RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection, MetaData, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from colonnade.core.errors import DeclarationError
from colonnade.core.settings import PoolSettings
from colonnade.database.database import Database
from colonnade.database.full_text_migrations import is_compared, mend
from colonnade.database.sqlite.numbering import numbering_kept
from colonnade.models.types import JsonDocument

MIGRATION_SECONDS = 86_400.0
"""How long one statement of a migration may run, on either side."""

_ALREADY_THERE = (
    "the database has tables that no migration made ({tables}), as an application in development makes them; begin with an "
    "empty one, or if they are as the migrations make them, run 'colonnade db stamp'"
)


class Written(NamedTuple):
    """A migration that was written; `empty` where the models and the database were the same."""

    path: Path
    empty: bool


class Standing(NamedTuple):
    """Where a database stands: its revision, and its tables where no migration has run yet."""

    revision: str | None
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of a folder, applied to one database.

    Args:
        folder: has `env.py` and `versions/`.
        url: the database; the async driver is added where the URL names none.
    """

    folder: Path
    url: str

    def upgrade(self, revision: str = "head") -> None:
        """Bring the database up to a revision; one transaction per migration, where the database has such for DDL.

        Raises:
            DeclarationError: there is no such revision, no way to it, or the migrations met tables that none of them made.
        """
        standing = self._standing()
        try:
            with self._told_plainly(revision, standing):
                command.upgrade(self._config(), revision)
        except DBAPIError as error:
            if standing.revision is None and standing.tables:
                raise DeclarationError(_ALREADY_THERE.format(tables=", ".join(standing.tables[:5]))) from error
            raise

    def downgrade(self, revision: str = "-1") -> None:
        """Take the database down to a revision; `base` takes everything down.

        Raises:
            DeclarationError: there is no such revision, or no way down to it.
        """
        standing = self._standing()
        with self._told_plainly(revision, standing):
            command.downgrade(self._config(), revision)

    def stamp(self, revision: str = "head") -> None:
        """Note that the database is at a revision, and change nothing else: what its migrations make is there already.

        Raises:
            DeclarationError: there is no such revision.
        """
        with self._told_plainly(revision, Standing(None, ())):
            command.stamp(self._config(), revision)

    def write(self, message: str) -> list[Written]:
        """Write a migration from what the models have and the database has not; the first one, from all that they have.

        Args:
            message: what it does, in a few words; becomes the file's name.

        Raises:
            DeclarationError: a migration is still ahead, or the models declare no table at all.
        """
        count = sum(1 for _ in self._scripts().walk_revisions())
        if count and (ahead := self.status()[1]):
            raise DeclarationError(f"the database is behind ({ahead[0][0]} is ahead); first run 'colonnade db upgrade'")
        config = self._config()
        if not count:
            # In development the application has made its tables by itself; against those nothing would be new.
            config.attributes["url"] = "sqlite://"
        written = command.revision(config, message, autogenerate=True, rev_id=f"{count + 1:04d}")
        scripts = written if isinstance(written, list) else [written]
        empty = config.attributes["empty"]
        return [Written(Path(script.path), empty) for script in scripts if script is not None]

    def check(self) -> None:
        """Compare the models with the database.

        Raises:
            alembic.util.exc.CommandError: a migration is missing; the text lists the differences.
        """
        command.check(self._config())

    def status(self) -> tuple[str | None, list[tuple[str, str]]]:
        """Tell where the database stands.

        Returns:
            Its revision (None before the first one) and the migrations ahead, next first, as (revision, title).
        """
        current = self._standing().revision
        scripts = self._scripts()
        ahead = [] if current in scripts.get_heads() else list(scripts.iterate_revisions("heads", current or "base"))
        return current, [(script.revision, script.doc) for script in reversed(ahead)]

    def _standing(self) -> Standing:
        """Look where the database stands, which must be at one of these migrations, and they in one line."""
        scripts = self._scripts()
        if len(heads := scripts.get_heads()) > 1:
            raise DeclarationError(
                f"{' and '.join(heads)} follow the same migration; set down_revision of one to the other"
            )
        standing = asyncio.run(_look(self.url))
        if standing.revision not in {None, *(script.revision for script in scripts.walk_revisions())}:
            raise DeclarationError(
                f"the database is at '{standing.revision}', which is not in {self.folder}; is it another project's?"
            )
        return standing

    @contextmanager
    def _told_plainly(self, revision: str, standing: Standing) -> Iterator[None]:
        try:
            yield
        except CommandError as error:
            if isinstance(error.__cause__, ResolutionError):
                raise DeclarationError(f"there is no migration '{revision}' in {self.folder}") from error
            if isinstance(error.__cause__, RevisionError):
                stands = standing.revision or "nothing yet"
                raise DeclarationError(
                    f"the database is at {stands}; no way leads from there to '{revision}'"
                ) from error
            raise

    def _config(self) -> Config:
        config = Config(cmd_opts=Namespace(quiet=True))
        config.set_main_option("script_location", str(self.folder.absolute()))
        config.set_main_option("path_separator", "os")
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        config.set_main_option("prepend_sys_path", str(Path.cwd()))
        config.attributes["url"] = self.url
        return config

    def _scripts(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(self._config())


def run_migrations(metadata: MetaData) -> None:
    """Run what Alembic was asked to run; the one call of a project's `migrations/env.py`.

    Args:
        metadata: the tables of the project's models, all of them imported.

    Raises:
        DeclarationError: SQL without a database (`--sql`) was asked for, or Alembic was started without `Migrations`.
    """
    url = context.config.attributes.get("url")
    if context.is_offline_mode() or url is None:
        raise DeclarationError("migrations run on a database; start them with `colonnade db`")
    asyncio.run(_run(url, metadata))


async def _run(url: str, metadata: MetaData) -> None:
    # Building an index takes as long as it takes. The time for locks stays: who waits for one queues every request.
    database = Database(url, pool=PoolSettings(statement_timeout=MIGRATION_SECONDS))
    try:
        async with database.engine.connect() as connection:
            await connection.run_sync(_migrate, metadata)
    finally:
        await database.dispose()


async def _look(url: str) -> Standing:
    def look(connection: Connection) -> Standing:
        revision = MigrationContext.configure(connection).get_current_revision()
        names = inspect(connection).get_table_names() if revision is None else []
        return Standing(revision, tuple(sorted(set(names) - {"alembic_version"})))

    database = Database(url)
    try:
        async with database.engine.connect() as connection:
            await connection.execution_options(read_only=True)
            return await connection.run_sync(look)
    finally:
        await database.dispose()


def _migrate(connection: Connection, metadata: MetaData) -> None:
    _lift_limits(connection)
    sqlite = connection.dialect.name == "sqlite"
    with numbering_kept(connection) if sqlite else nullcontext() as restore:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            # SQLite can't alter a column: batch mode copies the table instead (alembic.sqlalchemy.org/en/latest/batch.html)
            render_as_batch=sqlite,
            transaction_per_migration=True,
            compare_type=True,
            include_name=partial(is_compared, metadata),
            render_item=_render,
            process_revision_directives=_refine,
            on_version_apply=restore,
        )
        with context.begin_transaction():
            context.run_migrations()
    if sqlite:
        mend(connection, metadata)
    if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise DeclarationError("a migration left rows whose foreign keys point nowhere; mend them and check again")
    connection.commit()


def _lift_limits(connection: Connection) -> None:
    """Take away what protects requests and would break a migration."""
    if connection.dialect.name == "sqlite":
        # Copying a table drops the old one, which with foreign keys on deletes the rows that refer to it. The PRAGMA
        # does nothing inside a transaction (sqlite.org/foreignkeys.html §2), so it goes past SQLAlchemy's own.
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.close()
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")
        connection.commit()


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write Colonnade's own column types by their public names."""
    if item is JsonDocument:
        autogen.imports.add("import colonnade")
        return "colonnade.JsonDocument"
    if kind == "type" and isinstance(item, JSONB):
        # Alembic writes `astext_type=Text()`, and on PostgreSQL only puts `sa.` before it. The first migration is never
        # written there.
        autogen.imports.add("from sqlalchemy import Text")
    if kind != "type" or not isinstance(item, TypeDecorator) or not type(item).__module__.startswith("colonnade."):
        return False
    autogen.imports.add("import colonnade")
    digits = f"{item.precision}, {item.scale}" if hasattr(item, "precision") else ""
    return f"colonnade.{type(item).__name__}({digits})"


def _refine(migration: MigrationContext, _: Any, scripts: list[MigrationScript]) -> None:
    """Look at what is about to be written."""
    empty = all(operations.is_empty() for script in scripts for operations in script.upgrade_ops_list)
    if empty and not migration.opts["target_metadata"].tables:
        raise DeclarationError("the models declare no table; import their modules in env.py")
    context.config.attributes["empty"] = empty
    _drop_whole_tables(scripts)


def _drop_whole_tables(scripts: list[MigrationScript]) -> None:
    """Let a dropped table take its indexes along: MariaDB refuses to drop one that a foreign key uses."""
    for script in scripts:
        for operations in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            dropped = {step.table_name for step in operations.ops if isinstance(step, DropTableOp)}
            operations.ops[:] = [step for step in operations.ops if not _drops_indexes(step, dropped)]


def _drops_indexes(step: object, tables: set[str]) -> bool:
    return (
        isinstance(step, ModifyTableOps)
        and step.table_name in tables
        and all(isinstance(change, DropIndexOp) for change in step.ops)
    )
