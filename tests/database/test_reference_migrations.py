"""The reference application's own migrations, on every database."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.tree import ROOT

# In a process of its own: there `Base.metadata` has the application's tables and no other test's.
PROGRAM = """
import sys
from pathlib import Path
from colonnade.database.migrations import Migrations

migrations = Migrations(Path("migrations"), sys.argv[1])
migrations.upgrade()
migrations.check()
migrations.downgrade("base")
migrations.upgrade()
migrations.check()
print(migrations.status()[1])
"""


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
def test_the_application_migrates_up_down_and_up(database_url: str) -> None:
    """S46, S63: the application's migrations go up, down and up again, and make exactly what its models say."""
    command = [sys.executable, "-c", PROGRAM, database_url]
    migrated = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert migrated.returncode == 0, migrated.stderr
    assert migrated.stdout == "[]\n"
