"""`colonnade db init` in a stranger's project: from models in one file to migrations of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from colonnade.core.settings import Settings
from tests.house.tree import ROOT

pytestmark = pytest.mark.databases("sqlite-file")

MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from colonnade import Base, IntegerId


class Pin(IntegerId, Base):
    __tablename__ = "pins"
    name: Mapped[str] = mapped_column(sa.String(9))
"""
LATER = """

class Board(IntegerId, Base):
    __tablename__ = "boards"
    name: Mapped[str] = mapped_column(sa.String(9))
"""
# One process for many commands, since each takes a second to start; not this one, whose `Base` has every test's tables.
PROGRAM = """
import contextlib, io, json, sys
from colonnade.cli import main

for arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as left:
            code = left.code
    print(json.dumps([code or 0, said.getvalue().splitlines()[-1]]))
"""


class Project:
    """A folder with one file of models, and a database of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        bare = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
        self._environment = {**bare, "DATABASE_URL": url}
        (folder / "pins.py").write_text(MODELS)

    def run(self, *commands: str) -> list[tuple[int, str]]:
        """Run `colonnade ...` several times; give each one's exit code and the last line that it printed."""
        arguments = json.dumps([command.split() for command in commands])
        program = [sys.executable, "-c", PROGRAM, arguments]
        done = subprocess.run(
            program, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Project:
    """A stranger's project."""
    return Project(tmp_path, database_url)


def test_a_project_gets_its_migrations(project: Project) -> None:
    """S46, S63: `init`, `new`, `upgrade`, then a change of the models, `new`, `upgrade`, `downgrade`."""
    assert project.run("db init --models pins", "db new first", "db upgrade") == [
        (0, 'Next: colonnade db new "first tables", then colonnade db upgrade'),
        (0, f"{project.folder}/migrations/versions/0001_first.py"),
        (0, "database at 0001"),
    ]
    first = (project.folder / "migrations" / "versions" / "0001_first.py").read_text()
    assert "sqlite_autoincrement=True" in first
    (project.folder / "pins.py").write_text(MODELS + LATER)
    assert project.run("db new boards", "db status", "db upgrade", "db downgrade") == [
        (0, f"{project.folder}/migrations/versions/0002_boards.py"),
        (1, "ahead: 0002 boards"),
        (0, "database at 0002"),
        (0, "ahead: 0002 boards"),
    ]


def test_init_needs_models_and_writes_nothing_over(project: Project) -> None:
    """No module of the usual name: the option that names another is told. A second `init` leaves the first one's files."""
    (project.folder / "nothing.py").write_text("")
    missing, _, again, empty = project.run(
        "db init", "db init --models nothing", "db init --models pins", "db new first"
    )
    assert missing == (
        2,
        f"colonnade: no module 'app.models' in {project.folder}; name the one that declares your models with --models",
    )
    assert (again[0], "has an env.py already" in again[1]) == (2, True)
    assert empty == (2, "colonnade: the models declare no table; import their modules in env.py")


def test_the_template_is_the_reference_applications() -> None:
    """What `db init` writes is what the reference application's migrations are written with."""
    ours = ROOT / "src" / "colonnade" / "cli" / "script.py.mako"
    assert ours.read_text() == (ROOT / "migrations" / "script.py.mako").read_text()
