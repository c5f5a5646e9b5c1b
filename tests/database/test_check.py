"""`colonnade check`: what must not go to production, as a user runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from colonnade.cli import main
from colonnade.core.settings import Settings

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef" * 2
APPLICATION = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import Database, Listing, Resource, create_app, load_settings
from colonnade.core.settings import Settings


class Base(DeclarativeBase):
    pass


class Box(Base):
    __tablename__ = "boxes"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(20){index})
    {column}


settings = load_settings(Settings)
database = Database(settings.database_url.get_secret_value(), metadata=Base.metadata)
app = create_app([Resource(Box, listing=Listing(filters=["label"]))], settings=settings, database=database, debug={debug})
"""
ENV = """
from {module} import Base
from colonnade.database.migrations import run_migrations

run_migrations(Base.metadata)
"""
GOOD = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": "api.example.org", "ENV": "production"}
NOWHERE = "192.0.2.1"
"""An address that no machine has, so that a server which should not start does not stay."""
ON_DISK = pytest.mark.databases("sqlite-file", "postgresql", "mariadb")


class Project:
    """A project in a folder of its own, which is the current one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.module = f"{folder.parent.name}_application"
        self._monkeypatch = monkeypatch
        (folder / "migrations" / "versions").mkdir(parents=True)
        (folder / "migrations" / "env.py").write_text(ENV.format(module=self.module))
        shutil.copy(ROOT / "migrations" / "script.py.mako", folder / "migrations")
        self.write()

    def write(self, index: str = ", index=True", column: str = "", debug: bool = False) -> None:
        """Write its application anew."""
        text = APPLICATION.format(index=index, column=column, debug=debug)
        (self.folder / f"{self.module}.py").write_text(text)
        self._monkeypatch.delitem(__import__("sys").modules, self.module, raising=False)
        __import__("importlib").invalidate_caches()

    def set(self, **environment: str) -> None:
        """Set variables of the environment."""
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)

    def run(self, *arguments: str) -> int:
        """Run a command and give its exit code."""
        with pytest.raises(SystemExit) as left:
            main(arguments)
        return int(left.value.code or 0)

    def check(self, *options: str) -> int:
        """Run the check and give its exit code."""
        return self.run("check", "--app", f"{self.module}:app", *options)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Project:
    """A project whose database is migrated."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    # Bytecode is told apart by its time in seconds, and these tests write a module twice in one.
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    made = Project(folder, monkeypatch)
    made.set(DATABASE_URL=database_url)
    assert made.run("db", "new", "boxes") == 0
    assert made.run("db", "upgrade") == 0
    return made


@ON_DISK
def test_a_sound_project_has_nothing_to_mend(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """S44: an application whose tables, indexes and settings are in order is let through, on every database."""
    assert project.check() == 0
    project.set(**GOOD)
    capsys.readouterr()
    assert project.check("--deploy") == 0
    assert capsys.readouterr().out.splitlines()[-1] in {"0 to mend, 1 hint", "0 to mend, 2 hints"}


@ON_DISK
def test_tables_that_differ_from_the_models_are_found(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """S46: a column that no migration makes is told, and what to do."""
    project.write(column="weight: Mapped[int]")
    assert project.check() == 1
    out = capsys.readouterr().out
    assert "differs from the models: add column boxes.weight" in out
    assert "colonnade db new" in out


@pytest.mark.databases("sqlite-file")
def test_migrations_that_are_ahead_are_found(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """S46: a database behind its migrations is told."""
    assert project.run("db", "downgrade", "base") == 0
    assert project.check() == 1
    assert "1 ahead, the first is 0001 boxes" in capsys.readouterr().out


@pytest.mark.databases("sqlite-file")
def test_a_missing_index_is_found(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """S44: a declared filter that no index serves is told."""
    project.write(index="")
    assert project.check() == 1
    assert "Box declares the filter 'label', which no index serves" in capsys.readouterr().out


@pytest.mark.databases("sqlite-file")
def test_a_database_that_is_away_is_found(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """S22: it is one thing to mend, and the others are told beside it."""
    project.write(index="")
    project.set(DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert project.check() == 1
    out = capsys.readouterr().out
    assert "no index serves" in out
    assert "the database can't be reached" in out


@pytest.mark.databases("sqlite-file")
def test_settings_are_looked_at_for_a_deployment_only(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """C22: in development the default secret is nothing to mend; before a deployment it is, in production's settings too."""
    assert project.check() == 0
    assert project.check("--deploy") == 1
    project.set(ENV="production")
    assert project.check("--deploy") == 1
    assert "mend\tSECRET_KEY\tproduction needs one of its own" in capsys.readouterr().out


@pytest.mark.databases("sqlite-file")
def test_debug_is_found_and_refused(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """C22: an application that shows tracebacks is told of before, and does not start in production."""
    project.write(debug=True)
    project.set(**GOOD | {"ENV": "staging"})
    assert project.check("--deploy") == 1
    assert "mend\tdebug\tshows every traceback" in capsys.readouterr().out
    project.set(ENV="production", HOST=NOWHERE)
    project.write(debug=True)
    assert project.run("routes", "--app", f"{project.module}:app") == 2
    assert capsys.readouterr().err.startswith("colonnade: debug=True shows every traceback")


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("grave", [{"SQL_ECHO": "on"}, {"SECRET_KEY": "short"}, {"ALLOWED_ORIGINS": "*"}])
def test_production_does_not_start_on_the_grave_ones(
    project: Project, capsys: pytest.CaptureFixture[str], grave: dict[str, str]
) -> None:
    """C13, C22: one line and exit code 2, before anything is touched."""
    project.set(**GOOD | grave, HOST=NOWHERE)
    assert project.run("serve", "--app", f"{project.module}:app") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"colonnade: {next(iter(grave))}")
    assert error.count("\n") == 1
