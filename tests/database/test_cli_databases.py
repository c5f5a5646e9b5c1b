"""The `colonnade db` and `seed` commands on real databases, run as a user runs them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from colonnade.cli import main
from colonnade.core.settings import Settings
from colonnade.database.database import Database

TEMPLATE = Path(__file__).parents[2] / "migrations" / "script.py.mako"
ENV = """
import sqlalchemy as sa
from colonnade.database.migrations import run_migrations

metadata = sa.MetaData()
sa.Table("pins", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(9)))
run_migrations(metadata)
"""
SEEDER = """
import sqlalchemy as sa

pins = sa.table("pins", sa.column("name"))


async def seed(database, rows, advance):
    async with database.engine.begin() as connection:
        if await connection.scalar(sa.select(sa.func.count()).select_from(pins)):
            return 0
        await connection.execute(pins.insert(), [{"name": "pin"}] * rows)
        advance(rows)
    return rows
"""
ON_DISK = pytest.mark.databases("sqlite-file", "postgresql", "mariadb")


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Path:
    """A folder with migrations and a seeder, the current one, and DATABASE_URL set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    folder = tmp_path / "project"
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text(ENV)
    shutil.copy(TEMPLATE, folder / "migrations")
    (folder / f"{tmp_path.name}_seed.py").write_text(SEEDER)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("DATABASE_URL", database_url)
    return folder


def run(*arguments: str) -> int:
    """Run a command and give its exit code."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


@ON_DISK
def test_db_goes_up_and_down(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S63: `db new`, `upgrade`, `downgrade`, `upgrade` work one after the other, and say where the database stands."""
    assert run("db", "new", "pins") == 0
    assert capsys.readouterr().out == f"{project / 'migrations' / 'versions' / '0001_pins.py'}\n"
    assert run("db", "upgrade") == 0
    assert capsys.readouterr().out == "database at 0001\n"
    assert run("db", "downgrade") == 0
    assert capsys.readouterr().out == "database at nothing yet\nahead: 0001 pins\n"
    assert run("db", "upgrade") == 0


@pytest.mark.databases("sqlite-file")
def test_db_status_is_1_while_something_is_ahead(project: Path) -> None:
    """A script can wait for `db status`: 1 while a migration is ahead, 0 when none is."""
    run("db", "new", "pins")
    assert run("db", "status") == 1
    run("db", "upgrade")
    assert run("db", "status") == 0


@ON_DISK
def test_seed_fills_an_empty_database_once(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`seed 7` makes seven rows; the second time nothing is made, and that is said."""
    run("db", "new", "pins")
    run("db", "upgrade")
    capsys.readouterr()
    seeder = f"{tmp_path.name}_seed:seed"
    assert run("seed", "7", "--seeder", seeder) == 0
    assert capsys.readouterr().out.startswith("Demo data: 7 rows in")
    assert run("seed", "7", "--seeder", seeder) == 0
    assert capsys.readouterr().out == "Demo data: the tables are filled already; nothing was added.\n"


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://api:hunter22@127.0.0.1:1/shop", "the database can't be reached"),
        ("postgresql://api:hunter22@nowhere.invalid/shop", "the database can't be reached"),
        ("mysql://api:hunter22@127.0.0.1:1/shop", "Can't connect"),
        ("sqlite:///no/such/folder/shop.db", "unable to open"),
    ],
)
def test_a_database_that_is_away_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, told: str
) -> None:
    """S22: a database that can't be reached is one line with the cause, never with the password."""
    monkeypatch.setenv("DATABASE_URL", url)
    assert run("db", "status") == 2
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
    assert "hunter22" not in line


@pytest.mark.databases("postgresql")
def test_a_refused_login_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    """S22: a database that refuses the account says so in one line."""
    monkeypatch.setenv("DATABASE_URL", database_url.replace("postgres@", "nobody-here@", 1))
    assert run("db", "status") == 2
    assert capsys.readouterr().err.startswith("colonnade: the database says: ")


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["upgrade", "0009"], "there is no migration '0009' in migrations"),
        (["upgrade", "+3"], "the database is at nothing yet; no way leads from there to '+3'"),
        (["downgrade"], "the database is at nothing yet; no way leads from there to '-1'"),
        (["downgrade", "nowhere"], "there is no migration 'nowhere' in migrations"),
        (["stamp", "nowhere"], "there is no migration 'nowhere' in migrations"),
        (["new", "more"], "the database is behind (0001 is ahead); first run 'colonnade db upgrade'"),
    ],
)
def test_a_way_that_is_not_there_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Alembic's own sentences are for those who know it."""
    run("db", "new", "pins")
    assert run("db", *arguments) == 2
    assert capsys.readouterr().err == f"colonnade: {told}\n"


@pytest.mark.databases("sqlite-file")
def test_two_migrations_after_one_are_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two branches of work that met: which migrations, and what to change."""
    run("db", "new", "pins")
    for number in ("0002", "0003"):
        text = f'revision = "{number}"\ndown_revision = "0001"\n'
        (project / "migrations" / "versions" / f"{number}.py").write_text(text)
    assert run("db", "upgrade") == 2
    assert "follow the same migration; set down_revision of one to the other" in capsys.readouterr().err


@pytest.mark.databases("sqlite-file")
def test_a_database_of_another_project_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database at a revision that this folder has not is somebody else's, or ahead."""
    run("db", "new", "pins")
    run("db", "upgrade")
    first = project / "migrations" / "versions" / "0001_pins.py"
    # Of another length: byte code of a file of the same size and second would be taken for this one's.
    first.write_text(first.read_text().replace("'0001'", "'elsewhere'"))
    assert run("db", "status") == 2
    assert "the database is at '0001', which is not in migrations" in capsys.readouterr().err


FAULTS = {
    "def upgrade():\n    op.add_colum()\n": ("line 5: NameError: name 'op' is not defined", "Traceback"),
    "def upgrade(:\n": ("line 4: SyntaxError: invalid syntax", "Traceback"),
    "def upgrade():\n    from alembic import op\n    op.execute('SELEC 1')\n": (
        "line 6: the database says: ",
        "SELEC 1",
    ),
}


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_migration_is_one_line(project: Path, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    """S46: which file and which line; the traceback through Alembic is for who asks for it."""
    text = f'revision = "0001"\ndown_revision = None\n\n{fault}'
    (project / "migrations" / "versions" / "0001_broken.py").write_text(text)
    told, traced = FAULTS[fault]
    assert run("db", "upgrade") == 2
    line = capsys.readouterr().err
    assert line.startswith(f"colonnade: 0001_broken.py, {told}")
    assert (line.count("\n"), line.endswith("(--verbose shows the way there)\n")) == (1, True)
    assert run("db", "upgrade", "--verbose") == 2
    shown = capsys.readouterr().err
    assert traced in shown
    assert "Traceback (most recent call last)" in shown


@ON_DISK
def test_tables_that_no_migration_made_are_told(
    project: Path, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    """The first migration has every table, though development's database has them; `db stamp` takes those for its own."""
    database = Database(database_url)
    with database.sync_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE pins (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9))"))
    asyncio.run(database.dispose())
    assert run("db", "new", "pins") == 0
    assert "create_table" in (project / "migrations" / "versions" / "0001_pins.py").read_text()
    assert run("db", "upgrade") == 2
    told = capsys.readouterr().err
    assert ("tables that no migration made (pins)" in told, "'colonnade db stamp'" in told) == (True, True)
    assert run("db", "stamp") == 0
    assert capsys.readouterr().out == "database at 0001\n"


@pytest.mark.databases("sqlite-file")
def test_nothing_new_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A migration that has nothing to do is written for a person to fill in, and that is said."""
    run("db", "new", "pins")
    run("db", "upgrade")
    assert run("db", "new", "fill") == 0
    assert capsys.readouterr().out.endswith("it is empty, for you to fill in.\n")


@ON_DISK
def test_seeding_before_migrating_is_told(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`seed` on a database without tables says which command comes first."""
    run("db", "new", "pins")
    capsys.readouterr()
    assert run("seed", "3", "--seeder", f"{tmp_path.name}_seed:seed") == 2
    assert capsys.readouterr().err == "colonnade: the database lacks migrations; run 'colonnade db upgrade' first\n"
