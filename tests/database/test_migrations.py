"""Migrations on every database: written from the models, up, down and up again."""

from __future__ import annotations

import asyncio
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from colonnade.core.errors import DeclarationError
from colonnade.core.settings import PoolSettings
from colonnade.database import pool
from colonnade.database.database import Database
from colonnade.database.migrations import Migrations

TEMPLATE = Path(__file__).parents[2] / "migrations" / "script.py.mako"
ON_DISK = pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
MODELS = """
import sqlalchemy as sa
from colonnade.database.migrations import run_migrations
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.types import BigId, ExactDecimal, JsonDocument, UTCDateTime
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
sa.Table(
    "shelves", metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sqlite_autoincrement=True,
)
sa.Table(
    "books", metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("shelf_id", BigId, sa.ForeignKey("shelves.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("price", ExactDecimal(12, 2), nullable=False),
    sa.Column("kind", sa.Enum("novel", "poem", name="kind", native_enum=False, create_constraint=True)),
    sa.Column("bought_at", UTCDateTime, nullable=False),
    sa.Column("notes", JsonDocument),
    sa.Column("facts", sa.JSON().with_variant(JSONB(), "postgresql")),
)
run_migrations(metadata)
"""
RENAMING = """
def upgrade():
    with op.batch_alter_table("shelves") as batch:
        batch.alter_column("name", type_=sa.String(80), existing_type=sa.String(50), existing_nullable=False)


def downgrade():
    with op.batch_alter_table("shelves") as batch:
        batch.alter_column("name", type_=sa.String(50), existing_type=sa.String(80), existing_nullable=False)
"""


@pytest.fixture
def migrations(database_url: str, tmp_path: Path) -> Migrations:
    """A project with two tables, an empty database, and a first migration written from the models."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(MODELS)
    shutil.copy(TEMPLATE, folder)
    migrations = Migrations(folder, database_url)
    migrations.write("shelves and books")
    return migrations


def add(migrations: Migrations, number: int, body: str) -> None:
    """Write a migration by hand, after the one before it."""
    head = f'revision = "{number:04d}"\ndown_revision = "{number - 1:04d}"\n'
    text = f"import sqlalchemy as sa\nfrom alembic import op\n\n{head}\n{textwrap.dedent(body)}"
    (migrations.folder / "versions" / f"{number:04d}_step.py").write_text(text)


def ask(url: str, *statements: str) -> Sequence[Any]:
    """Run statements in one transaction and give the last one's rows."""

    async def run() -> Sequence[Any]:
        database = Database(url)
        try:
            async with database.engine.begin() as connection:
                for statement in statements:
                    result = await connection.execute(sa.text(statement))
                return result.all() if result.returns_rows else []
        finally:
            await database.dispose()

    return asyncio.run(run())


def tables(url: str) -> set[str]:
    """Give the names of the tables that the database has."""

    async def names() -> set[str]:
        database = Database(url)
        try:
            async with database.engine.connect() as connection:
                return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))
        finally:
            await database.dispose()

    return asyncio.run(names())


@ON_DISK
def test_migrations_go_up_down_and_up_again(migrations: Migrations) -> None:
    """S46, S63: what was written from the models goes up, down and up again on every database."""
    migrations.upgrade()
    assert tables(migrations.url) == {"alembic_version", "books", "shelves"}
    migrations.downgrade("base")
    assert tables(migrations.url) == {"alembic_version"}
    migrations.upgrade()
    assert tables(migrations.url) == {"alembic_version", "books", "shelves"}


@ON_DISK
def test_a_migration_from_the_models_leaves_no_difference(migrations: Migrations) -> None:
    """S63: after it was applied the models and the database are the same, our own column types included."""
    migrations.upgrade()
    migrations.check()


@pytest.mark.databases("mariadb")
def test_migrated_tables_compare_text_by_code_point(migrations: Migrations) -> None:
    """What a migration makes on MariaDB is what `create_all` makes, columns that come later included."""
    add(migrations, 2, 'def upgrade():\n    op.add_column("books", sa.Column("title", sa.String(50)))\n')
    migrations.upgrade()
    found = ask(
        migrations.url, "SHOW FULL COLUMNS FROM books LIKE 'title'", "SHOW FULL COLUMNS FROM books LIKE 'title'"
    )
    assert found[0][2] == "utf8mb4_nopad_bin"


@ON_DISK
def test_status_tells_what_is_ahead(migrations: Migrations) -> None:
    """`status` gives the revision and the migrations ahead, and none when the database is at the head."""
    assert migrations.status() == (None, [("0001", "shelves and books")])
    migrations.upgrade()
    assert migrations.status() == ("0001", [])
    add(migrations, 2, RENAMING)
    assert [revision for revision, _ in migrations.status()[1]] == ["0002"]


@ON_DISK
def test_a_failing_migration_keeps_those_before_it(migrations: Migrations) -> None:
    """Each migration is a transaction of its own: the second one fails, the first one stays."""
    add(migrations, 2, "def upgrade():\n    op.execute('SELECT * FROM nowhere')\n")
    with pytest.raises(sa.exc.DBAPIError):
        migrations.upgrade()
    assert migrations.status()[0] == "0001"


@ON_DISK
def test_changing_a_parent_table_keeps_its_children(migrations: Migrations) -> None:
    """On SQLite a changed table is copied and the old one dropped, and that must not cascade to other tables' rows."""
    migrations.upgrade()
    ask(
        migrations.url,
        "INSERT INTO shelves (id, name) VALUES (1, 'up')",
        "INSERT INTO books (id, shelf_id, price, bought_at) VALUES (1, 1, 5, '2026-11-20 11:00:00+00:00')"
        if "postgresql" in migrations.url
        else "INSERT INTO books (id, shelf_id, price, bought_at) VALUES (1, 1, 5, '2026-11-20 11:00:00')",
    )
    add(migrations, 2, RENAMING)
    migrations.upgrade()
    migrations.downgrade()
    assert ask(migrations.url, "SELECT count(*) FROM books")[0][0] == 1


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("left", [1, 0], ids=["of one row", "of none"])
def test_a_changed_table_gives_no_id_again(migrations: Migrations, left: int) -> None:
    """A copied table goes on numbering where the old one stood, beyond rows that were deleted."""
    migrations.upgrade()
    ask(
        migrations.url,
        "INSERT INTO shelves (name) VALUES ('a'), ('b'), ('c')",
        f"DELETE FROM shelves WHERE id > {left}",
    )
    add(migrations, 2, RENAMING)
    migrations.upgrade()
    given = ask(migrations.url, "INSERT INTO shelves (name) VALUES ('d') RETURNING id")
    assert given[0][0] == 4
    migrations.downgrade("base")
    assert tables(migrations.url) == {"alembic_version"}


@pytest.mark.databases("sqlite-file")
def test_rows_that_point_nowhere_are_told(migrations: Migrations) -> None:
    """Foreign keys are off while SQLite copies tables, so they are checked when it is done."""
    migrations.upgrade()
    add(
        migrations,
        2,
        """
        def upgrade():
            op.execute("INSERT INTO books (id, shelf_id, price, bought_at) VALUES (1, 99, 5, '2026-11-20 11:00:00')")
        """,
    )
    with pytest.raises(DeclarationError, match="foreign keys point nowhere"):
        migrations.upgrade()


@pytest.mark.databases("postgresql", "mariadb")
def test_a_migration_may_take_longer_than_a_request(migrations: Migrations, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the database nor this side stops a statement of a migration that takes longer than a request's may."""
    monkeypatch.setattr(pool, "GRACE_SECONDS", 0.1 - PoolSettings().statement_timeout)  # a request's may take 0.1 s
    sleep, limit = ("pg_sleep(0.5)", "current_setting('statement_timeout')")
    if not migrations.url.startswith("postgresql"):
        sleep, limit = "SLEEP(0.5)", "@@max_statement_time"
    add(
        migrations,
        2,
        f"""
        def upgrade():
            op.execute("SELECT {sleep}")
            op.execute("CREATE TABLE limits AS SELECT {limit} AS most")
        """,
    )
    migrations.upgrade()
    assert str(ask(migrations.url, "SELECT most FROM limits")[0][0]) in {"1d", "86400.0"}
