"""The rooms: every arrow points down, and the pure rooms are pure."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.house.tree import ROOT, sources

PURE_ROOMS = ("query", "policy", "models", "schemas", "core")
VAGUE = re.compile(r"(utils?|helpers?|managers?|common|misc)(\.py)?")


def test_every_arrow_points_down() -> None:
    """import-linter keeps the contract of the rooms that pyproject.toml draws."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-logo"]
    linted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_never_waits(room: str) -> None:
    """A pure room serves sync and async callers alike, so nothing in it is `async`."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    folder = ROOT / "src" / "colonnade" / room
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("src")
        if path.is_relative_to(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, waiting)
    ]
    assert found == []


def test_the_application_uses_public_names_only() -> None:
    """The reference application imports from `colonnade` itself, never from one of its rooms."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {module}"
        for path in sources("app", "examples")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for module in _modules(node)
        if module.startswith("colonnade.")
    ]
    assert found == []


def test_no_module_has_a_vague_name() -> None:
    """No `utils`, `helpers`, `manager` or `common`: a name says what is inside."""
    parts = {part for path in sources("src", "app", "tests") for part in path.relative_to(ROOT).parts}
    assert [part for part in sorted(parts) if VAGUE.fullmatch(part)] == []


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
