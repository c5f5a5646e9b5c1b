"""Full-text indexes in migrations: written from the models, up and down, and mended where SQLite copies a table."""

from __future__ import annotations

import pytest

from colonnade.database.migrations import Migrations
from tests.database.test_migrations import (
    add,
    ask,
    migrations,  # noqa: F401 - a fixture
    tables,
)

MODELS = """
import sqlalchemy as sa
from colonnade import full_text
from colonnade.database.migrations import run_migrations
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.types import BigId

metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
sa.Table(
    "shelves", metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    full_text("name"),
)
sa.Table(
    "books", metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("shelf_id", BigId, sa.ForeignKey("shelves.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("title", sa.String(50)),
)
run_migrations(metadata)
"""
COPYING = """
def upgrade():
    with op.batch_alter_table("shelves") as batch:
        batch.alter_column("name", type_=sa.String(80), existing_type=sa.String(50), existing_nullable=False)
    op.execute("INSERT INTO shelves (id, name) VALUES (2, 'top of the tree')")


def downgrade():
    pass
"""


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
def test_an_index_is_written_from_the_models_and_undone(migrations: Migrations) -> None:  # noqa: F811
    """S46, S63: a declared index is in the next migration, goes up, down and up again, and leaves no difference."""
    (migrations.folder / "versions" / "0001_shelves_and_books.py").unlink()
    (migrations.folder / "env.py").write_text(MODELS)
    migrations.write("shelves")
    (written,) = (migrations.folder / "versions").glob("0001_*.py")
    assert 'op.create_full_text("shelves", ["name"])' in written.read_text()
    migrations.upgrade()
    migrations.check()
    migrations.downgrade("base")
    assert tables(migrations.url) == {"alembic_version"}
    migrations.upgrade()
    migrations.check()


@pytest.mark.databases("sqlite-file")
def test_a_copied_table_keeps_its_index(migrations: Migrations) -> None:  # noqa: F811
    """SQLite drops a table's triggers when a migration copies it: they are made again, with the words of every row."""
    (migrations.folder / "versions" / "0001_shelves_and_books.py").unlink()
    (migrations.folder / "env.py").write_text(MODELS)
    migrations.write("shelves")
    migrations.upgrade()
    ask(migrations.url, "INSERT INTO shelves (id, name) VALUES (1, 'top of the wall')")
    add(migrations, 2, COPYING)
    migrations.upgrade()
    ask(migrations.url, "UPDATE shelves SET name = 'bottom' WHERE id = 1")
    found = "SELECT rowid FROM shelves_full_text WHERE shelves_full_text MATCH '{}'"
    assert [ask(migrations.url, found.format(word)) for word in ("top", "bottom", "wall")] == [[(2,)], [(1,)], []]
