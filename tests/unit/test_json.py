"""JSON on the wire: read without RFC 8259's loopholes, written canonically."""

from __future__ import annotations

import enum
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colonnade.core.errors import InvalidBodyError, MalformedBodyError
from colonnade.core.json import dump_json, escape_pointer, parse_json


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a": 1} {"b": 2}',
        b'{"a": 1, "a": 2}',
        b'{"outer": {"a": 1, "a": 2}}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[0x10]",
        b'"tab\there"',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 900 + b'"\\ud800"' + b"]" * 900,
        b"a=1&b=2",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    """Syntax, UTF-8, duplicate keys, NaN and depth are 400."""
    with pytest.raises(MalformedBodyError):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"a": "\\u0000"}', "/a"),
        (b'{"a": ["x", "\\ud800"]}', "/a/1"),
        (b'{"a": "\\udc00\\ud800"}', "/a"),
        (b'{"a/b": {"~": "\\u0000"}}', "/a~1b/~0"),
        (b'{"\\u0000": 1}', ""),
        (b'{"\\ud800": 1}', ""),
    ],
)
def test_text_that_no_database_stores_does_not_fit(body: bytes, pointer: str) -> None:
    """U+0000 and lone surrogates, in values and in keys, are 422 and told by their place."""
    with pytest.raises(InvalidBodyError) as caught:
        parse_json(body)
    assert caught.value.faults[0].pointer == pointer


def test_a_surrogate_pair_is_a_character() -> None:
    """An escaped character of a higher plane is let through."""
    assert parse_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("number", ["1e99999999", "-1e99999999", "1e-99999999", "1e1000", "9" * 5_000, "1.0e4000"])
def test_a_number_out_of_all_bounds_does_not_fit(number: str) -> None:
    """A number of a million digits is refused before anybody reckons with it."""
    began = time.process_time()
    with pytest.raises(InvalidBodyError):
        parse_json(f'{{"quantity": {number}}}'.encode())
    assert time.process_time() - began < 1


@pytest.mark.parametrize("body", [b'"1e9999"', b'["e12345", 0e99999]', b"1e999"])
def test_a_large_exponent_elsewhere_is_let_through(body: bytes) -> None:
    """Text that only looks like such a number, and a zero, are what they are."""
    parse_json(body)


def test_fractions_are_exact() -> None:
    """No digit of a number is lost on its way in."""
    assert parse_json(b'{"price": 0.1234567890123456789}') == {"price": Decimal("0.1234567890123456789")}


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body is a 500."""
    with suppress(MalformedBodyError, InvalidBodyError):
        parse_json(body)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 11, 20, 11, 4, 43, 123456, UTC), b'"2026-11-20T11:04:43.123456Z"'),
        (datetime(2026, 11, 20, 11, 4, 43, tzinfo=UTC), b'"2026-11-20T11:04:43Z"'),
        (datetime(2026, 11, 20, 11, 4, 43, tzinfo=timezone(timedelta(0))), b'"2026-11-20T11:04:43Z"'),
        (date(2026, 1, 2), b'"2026-01-02"'),
        (Decimal("19.90"), b"19.90"),
        (Decimal("12345678901234567.89"), b"12345678901234567.89"),
        (UUID(int=7), b'"00000000-0000-0000-0000-000000000007"'),
        (Colour.RED, b'"red"'),
        (2**63 - 1, b"9223372036854775807"),
        ({"a": [10**20, True, -(10**30)]}, b'{"a":[100000000000000000000,true,-1000000000000000000000000000000]}'),
        (None, b"null"),
        ("\N{GRINNING FACE}\u2028", '"\N{GRINNING FACE}\u2028"'.encode()),
    ],
)
def test_values_are_written_canonically(value: object, written: bytes) -> None:
    """Times in UTC with their fraction unless it is zero, decimals as numbers, enums by value."""
    assert dump_json(value) == written


def test_pointer_tokens_are_escaped() -> None:
    """RFC 6901 §3: `~` before `/`."""
    assert escape_pointer("a/b~c") == "a~1b~0c"
