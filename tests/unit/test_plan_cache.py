"""What plans take of the memory is bounded, by their number and by their texts."""

from __future__ import annotations

from types import SimpleNamespace

from colonnade.query.compile import CompiledStatement
from colonnade.services.blueprint import MAX_PLANS, MAX_TEXT, PlanCache


def statement(length: int) -> CompiledStatement:
    """Make one with a text of a length."""
    return CompiledStatement("x" * length, (), (), {})


def test_the_oldest_plan_goes_when_there_are_too_many() -> None:
    """Whatever they are."""
    plans = PlanCache()
    for number in range(MAX_PLANS + 1):
        plans[number] = object()
    assert (len(plans), 0 in plans, 1 in plans) == (MAX_PLANS, False, True)


def test_the_oldest_plans_go_when_their_texts_are_too_long() -> None:
    """A statement's, those of several, and the one that reads a plan's rows."""
    plans = PlanCache()
    plans["one"] = statement(MAX_TEXT // 2)
    plans["two"] = [statement(MAX_TEXT // 4), statement(1)]
    plans["three"] = SimpleNamespace(rows=statement(MAX_TEXT // 4))
    assert list(plans) == ["two", "three"]
    plans["four"] = statement(MAX_TEXT // 2 - 1)
    assert list(plans) == ["two", "three", "four"]


def test_a_plan_in_the_place_of_another_counts_once() -> None:
    """The text of the one that it replaces is counted no longer."""
    plans = PlanCache()
    for _ in range(5):
        plans["same"] = statement(MAX_TEXT // 2)
    plans["other"] = statement(MAX_TEXT // 2)
    assert list(plans) == ["same", "other"]


def test_a_plan_that_is_too_long_is_kept_alone() -> None:
    """It has been made, and is of use until the next one."""
    plans = PlanCache()
    plans["short"] = statement(1)
    plans["long"] = statement(MAX_TEXT + 1)
    assert list(plans) == ["long"]
