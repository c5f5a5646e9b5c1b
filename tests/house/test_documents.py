"""The documents say what the tree has: error pages, rooms, commands, requirement rows."""

from __future__ import annotations

import inspect
import json
import re

import pytest

from colonnade.core import errors
from tests.house.tree import ROOT, text_of

PAGES = ROOT / "docs" / "errors"
PROBLEMS = {
    problem.code: problem
    for _, problem in inspect.getmembers(errors, inspect.isclass)
    if issubclass(problem, errors.ProblemError) and hasattr(problem, "code")
}


def rooms() -> set[str]:
    """Give the names of the library's rooms: the folders that have Python files."""
    return {folder.name for folder in (ROOT / "src" / "colonnade").iterdir() if any(folder.rglob("*.py"))}


def test_every_code_belongs_to_one_error() -> None:
    """A code is given once: two classes never share one."""
    own = [problem.__dict__["code"] for problem in _classes() if "code" in problem.__dict__]
    assert sorted(own) == sorted(set(own))


def test_the_error_tree_is_drawn_as_it_is() -> None:
    """The docstring of `core/errors.py` draws each class, with the code and status that it has."""
    drawing = errors.__doc__ or ""
    missing = [
        problem.__name__
        for problem in _classes()
        if not re.search(
            rf"─ {problem.__name__}\b"
            + (rf" +{problem.code}  {problem.status}\b" if problem in PROBLEMS.values() else ""),
            drawing,
        )
    ]
    assert missing == []


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_error_has_its_page(code: str) -> None:
    """Each error code has a page that says what happened, why it usually does, what to do, and shows a problem."""
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert page.startswith(f"# {code}: {PROBLEMS[code].title}\n")
    assert headings == ["What happened", "Why, usually", "What to do", "Example"]


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_page_shows_its_own_problem(code: str) -> None:
    """The example on the page is a problem document with the error's own code, status and title."""
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.+?)```", page, re.DOTALL)
    assert example is not None
    document = json.loads(example[1])
    problem = PROBLEMS[code]
    assert (document["code"], document["status"], document["title"]) == (code, problem.status, problem.title)
    assert {"type", "detail", "instance", "request_id"} <= set(document)


def test_no_page_is_left_over() -> None:
    """A page that no error has is not there."""
    assert {page.stem for page in PAGES.glob("CLN*.md")} == set(PROBLEMS)


def test_the_architecture_draws_the_rooms_that_exist() -> None:
    """`docs/architecture.md` names every room of the tree and no other."""
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    plan = re.search(r"```\nsrc/colonnade/\n(.+?)```", drawn, re.DOTALL)
    assert plan is not None
    named = {name for line in plan[1].splitlines() for name in re.findall(r"^  ((?:\w+/ ?)+)", line)}
    assert {room.strip("/") for names in named for room in names.split()} == rooms()


def test_the_readme_names_commands_that_exist() -> None:
    """Each `make` command of the README and the contributor's pages is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"\bmake ([a-z][a-z-]*)`", text_of(page) or "")}
    shown = {
        name
        for page in pages
        for block in re.findall(r"```(?:sh|bash|console)\n(.+?)```", text_of(page) or "", re.DOTALL)
        for name in re.findall(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*make ([a-z-]+)", block, re.MULTILINE)
    }
    assert named | shown <= targets
    assert {"run", "test"} <= named | shown


def _classes() -> list[type[errors.ColonnadeError]]:
    return [
        member
        for _, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, errors.ColonnadeError) and member is not errors.ColonnadeError
    ]
