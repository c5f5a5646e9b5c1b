"""Fitting values into columns: the bounds of each kind, exactly at them and one beyond."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade.core.errors import InvalidBodyError
from colonnade.models.facts import read_facts
from colonnade.schemas.fit import all_fit, fit_values, misfit
from tests.library import Book

FACTS = read_facts(Book)


class Fits(DeclarativeBase):
    """A base of this file alone."""


class Bare(Fits):
    """A decimal whose column names no precision."""

    __tablename__ = "bare"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[Decimal] = mapped_column(sa.Numeric())
    whole: Mapped[Decimal] = mapped_column(sa.Numeric(3))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", "x" * 20),
        ("title", "𝄞" * 20),
        ("pages", (1 << 31) - 1),
        ("copies", -(1 << 15)),
        ("sold", -(1 << 63)),
        ("price", Decimal("99999999.99")),
        ("price", Decimal("-99999999.99")),
        ("price", Decimal("1.500000")),
        ("price", Decimal("0E-20")),
        ("price", Decimal("1E+7")),
        ("price", None),
        ("weight", 1e308),
        ("opens", time(12, 30)),
        ("released", datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
        ("extra", {"a": [1, None, {"b": (1 << 63) - 1}], "c": Decimal("0.1")}),
        ("extra", [Decimal("1E+3")]),
        ("publisher_id", "anything"),
    ],
    ids=repr,
)
def test_what_a_column_holds_fits(key: str, value: object) -> None:
    """S77: up to the bound itself, zeros behind the point not counted."""
    assert misfit(FACTS.columns[key], value) is None
    assert all_fit(FACTS, [{"title": "Emma"}, {key: value}, {"isbn": None}])


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("title", "x" * 21, "string_too_long"),
        ("title", "a\0", "text_unstorable"),
        ("title", None, "required"),
        ("pages", 1 << 31, "out_of_range"),
        ("copies", -(1 << 15) - 1, "out_of_range"),
        ("sold", 1 << 63, "out_of_range"),
        ("price", Decimal("100000000"), "out_of_range"),
        ("price", Decimal("1.005"), "decimal_max_places"),
        ("price", Decimal("1E+8"), "out_of_range"),
        ("price", Decimal("NaN"), "not_finite"),
        ("price", Decimal("-Infinity"), "not_finite"),
        ("price", 0.001, "decimal_max_places"),
        ("weight", float("inf"), "not_finite"),
        ("opens", time(12, tzinfo=UTC), "timezone_unexpected"),
        ("released", datetime(2026, 1, 31), "timezone_missing"),  # noqa: DTZ001
        ("released", datetime.min.replace(tzinfo=UTC), "out_of_range"),
        ("released", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "out_of_range"),
        ("extra", {"a": [1 << 63]}, "number_out_of_range"),
        ("extra", [Decimal("0.1000000000000000000001")], "number_inexact"),
    ],
    ids=repr,
)
def test_what_a_column_can_not_hold_does_not(key: str, value: object, code: str) -> None:
    """S77: one step beyond, with a code of its own."""
    found = misfit(FACTS.columns[key], value)
    assert found is not None
    assert found[0] == code
    assert not all_fit(FACTS, [{"title": "Emma"}, {key: value}, {"isbn": None}])


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("number", Decimal(10) ** 299, None),
        ("number", Decimal(10) ** 300, "out_of_range"),
        ("whole", Decimal("999.0"), None),
        ("whole", Decimal("999.5"), "decimal_max_places"),
        ("whole", Decimal(1000), "out_of_range"),
    ],
)
def test_a_decimal_without_places_fits_by_its_digits(key: str, value: Decimal, code: str | None) -> None:
    """A column without precision holds what a double reaches; one without scale holds whole numbers."""
    found = misfit(read_facts(Bare).columns[key], value)
    assert (None if found is None else found[0]) == code


def test_every_fault_is_told_with_its_place() -> None:
    """S77: one refusal names all of them, below the place that the values come from; unknown keys are not its affair."""
    values: dict[str, Any] = {"title": None, "pages": 1 << 40, "price": Decimal(1), "nothing": object()}
    with pytest.raises(InvalidBodyError) as refused:
        fit_values(FACTS, values, at="/items/3")
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/items/3/title", "required"),
        ("/items/3/pages", "out_of_range"),
    ]


def test_many_rows_with_a_name_that_is_no_columns_do_not_pass() -> None:
    """A schema may have fields that only a hook takes out: where there is no hook, one row by itself is to tell."""
    assert not all_fit(FACTS, [{"title": "Emma"}, {"title": "Persuasion", "chapters": 24}])


def test_fitting_values_pass_in_silence() -> None:
    """Nothing is raised and nothing is changed."""
    values = {"title": "Emma", "pages": 3}
    fit_values(FACTS, values)
    assert values == {"title": "Emma", "pages": 3}
