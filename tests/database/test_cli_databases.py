"""The `colonnade db` and `seed` commands on real databases, run as a user runs them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from colonnade.cli import main
from colonnade.core.settings import Settings

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
