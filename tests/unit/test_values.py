"""One text of a query or path as a value of a column: what is read, what is refused, and with which code."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade.models.facts import ColumnFacts, read_facts
from colonnade.query.values import UnreadableError, read_default, read_value
from tests.library import Binding, Book

BOOK = read_facts(Book).columns
UUID_TEXT = "01890a5d-ac96-774b-bcce-b302099a8057"


class Defaults(DeclarativeBase):
    """A base of this file alone."""


class Defaulted(Defaults):
    """Columns with defaults of the database's own."""

    __tablename__ = "defaulted"
    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(server_default="7")
    word: Mapped[str] = mapped_column(sa.String(9), server_default="none")
    made: Mapped[str] = mapped_column(sa.String(9), server_default=sa.text("upper('a')"))
    wrong: Mapped[int] = mapped_column(server_default="many")
    bare: Mapped[int]
    size: Mapped[str] = mapped_column(sa.Enum("small", "large", native_enum=False))


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("pages", "0", 0),
        ("pages", "-5", -5),
        ("pages", "007", 7),
        ("pages", "2147483647", 2147483647),
        ("sold", "-9223372036854775808", -(1 << 63)),
        ("price", "19.90", Decimal("19.90")),
        ("price", "-0.5", Decimal("-0.5")),
        ("price", "5.000", Decimal("5.000")),
        ("weight", "1.5e3", 1500.0),
        ("weight", "-2", -2.0),
        ("featured", "true", True),
        ("featured", "0", False),
        ("printed", "2024-02-29", date(2024, 2, 29)),
        ("opens", "09:30", time(9, 30)),
        ("opens", "09:30:15.25", time(9, 30, 15, 250000)),
        ("released", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("released", "2026-01-31t12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("released", "2026-01-31 12:00:00 02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("binding", "hard cover", Binding.HARD),
        ("publisher_id", UUID_TEXT.upper(), UUID(UUID_TEXT)),
        ("title", "", ""),
        ("title", "longer than the column is wide", "longer than the column is wide"),
    ],
)
def test_a_text_is_read(key: str, text: str, value: object) -> None:
    """S51: as the column's own kind of value; a space before an offset was a plus sign."""
    found = read_value(BOOK[key], text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "text", "code"),
    [
        ("pages", "1.0", "integer_expected"),
        ("pages", "+1", "integer_expected"),
        ("pages", " 1", "integer_expected"),
        ("pages", "1_000", "integer_expected"),
        ("pages", "١", "integer_expected"),
        ("pages", "", "integer_expected"),
        ("pages", "9" * 400, "integer_expected"),
        ("pages", "2147483648", "out_of_range"),
        ("copies", "32768", "out_of_range"),
        ("sold", "9223372036854775808", "out_of_range"),
        ("price", "1e3", "decimal_expected"),
        ("price", "NaN", "decimal_expected"),
        ("price", ".5", "decimal_expected"),
        ("price", "1.234", "decimal_max_places"),
        ("price", "123456789", "out_of_range"),
        ("weight", "inf", "float_expected"),
        ("weight", "1e999", "not_finite"),
        ("featured", "TRUE", "boolean_expected"),
        ("featured", "yes", "boolean_expected"),
        ("printed", "2023-02-29", "date_expected"),
        ("printed", "2024-W05-1", "date_expected"),
        ("printed", "20240229", "date_expected"),
        ("opens", "24:00", "time_expected"),
        ("opens", "09:30Z", "time_expected"),
        ("released", "2026-01-31T12:00:00", "timezone_missing"),
        ("released", "2026-01-31", "datetime_expected"),
        ("released", "0001-01-01T00:00:00+01:00", "datetime_expected"),
        ("released", "9999-12-31T23:59:59.999999Z", "out_of_range"),
        ("binding", "HARD", "enum_expected"),
        ("publisher_id", UUID_TEXT.replace("-", ""), "uuid_expected"),
        ("publisher_id", f"{{{UUID_TEXT}}}", "uuid_expected"),
        ("title", "a\0b", "text_unstorable"),
    ],
)
def test_what_is_none_is_refused(key: str, text: str, code: str) -> None:
    """S8, S51: strictly, since Python reads more than RFC 3339 and the grammar of numbers have."""
    with pytest.raises(UnreadableError) as refused:
        read_value(BOOK[key], text)
    assert refused.value.code == code


def test_an_enum_of_texts_is_read_by_its_texts() -> None:
    """An enum without a class has plain texts as its values."""
    column = read_facts(Defaulted).columns["size"]
    assert read_value(column, "large") == "large"
    with pytest.raises(UnreadableError, match="one of: small, large"):
        read_value(column, "huge")


@pytest.mark.parametrize(
    ("key", "value"), [("count", 7), ("word", "none"), ("made", None), ("wrong", None), ("bare", None)]
)
def test_a_default_of_the_databases_is_read(key: str, value: object) -> None:
    """S50: a plain text is the value that the database will store; SQL, and what does not fit, is left to it."""
    column: ColumnFacts = read_facts(Defaulted).columns[key]
    assert read_default(column) == value
