"""The house's figures: how long files and functions are, how they branch, what they take."""

from __future__ import annotations

import statistics

import pytest

from tests.house.tree import ROOT, Figure, figures, sources

FILE_LINES, FILE_LINES_USUAL = 500, 350
CODE_LINES, CODE_LINES_USUAL = 50, 30
BRANCHES, BRANCHES_USUAL = 10, 8
PARAMETERS = 6


@pytest.fixture(scope="module")
def weighed() -> list[Figure]:
    """Every function of the library and of the reference application."""
    return [figure for path in sources("src", "app") for figure in figures(path)]


def usual(values: list[int]) -> float:
    """Give the 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def test_no_file_is_too_long() -> None:
    """A file has at most 500 lines, and 19 of 20 files at most 350."""
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in sources("src", "app")
    }
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}
    assert usual(list(lengths.values())) <= FILE_LINES_USUAL


def test_no_function_is_too_long(weighed: list[Figure]) -> None:
    """A function has at most 50 lines of code, and 19 of 20 functions at most 30."""
    assert [figure for figure in weighed if figure.code_lines > CODE_LINES] == []
    assert usual([figure.code_lines for figure in weighed]) <= CODE_LINES_USUAL


def test_no_function_branches_too_often(weighed: list[Figure]) -> None:
    """A function has at most 10 branches (McCabe), and 19 of 20 functions at most 8."""
    assert [figure for figure in weighed if figure.branches > BRANCHES] == []
    assert usual([figure.branches for figure in weighed]) <= BRANCHES_USUAL


def test_no_function_takes_too_much(weighed: list[Figure]) -> None:
    """Past six parameters a function takes a frozen value instead."""
    assert [figure for figure in weighed if figure.parameters > PARAMETERS] == []
