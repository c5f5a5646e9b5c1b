"""JSON as it stands on the wire: read strictly, written canonically.

Reading is RFC 8259 without its loopholes: duplicate keys, NaN, Infinity and lone surrogates are refused, numbers with
a fraction become `Decimal` so that nothing is rounded before it reaches a column. Writing gives exact decimals as JSON
numbers, times as RFC 3339 in UTC (`2026-11-20T11:04:43.123456Z`), UUIDs with dashes and enums by value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

import jiter
import orjson
from pydantic_core import to_jsonable_python

from colonnade.core.errors import Fault, InvalidBodyError, MalformedBodyError

MAX_DEPTH = 64
MAX_EXPONENT = 999
"""Powers of ten that a number may reach: far beyond any column, near enough that no arithmetic on it takes long."""

_LARGE_EXPONENT = re.compile(rb"[eE][+-]?[0-9]{4}")
_64_BITS = range(-(1 << 63), 1 << 64)


def parse_json(body: bytes) -> object:
    """Parse one JSON value.

    Args:
        body: the whole body, UTF-8.

    Returns:
        dict, list, str, int, `Decimal` (any number with a fraction or exponent), bool or None.

    Raises:
        MalformedBodyError: CLN101, the text is not JSON as RFC 8259 §2 and §4 want it, or nests deeper than 64.
        InvalidBodyError: CLN201, a string holds a lone surrogate or U+0000, which no database stores (RFC 8259 §8.2), or
            a number is of thousands of digits.
    """
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="decimal")
    except ValueError as error:
        _explain(body, error)
    # A value can't nest deeper than it has opening brackets: nearly every body is let through by two memchr runs.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise MalformedBodyError("The body nests too deep.")
    if b"\\u0000" in body:
        refuse_unstorable_text(value)
    # `int(Decimal("1e99999999"))`, which a schema does for a whole number, would hold the process up for minutes.
    if _LARGE_EXPONENT.search(body):
        _refuse_large_exponents(value)
    return value


def _explain(body: bytes, error: ValueError) -> NoReturn:
    """Say why the fast parser refused: it does not tell lone surrogates, which are 422, from broken syntax, 400."""
    reason = str(error)
    if reason.startswith("number out of range"):
        raise _number_out_of_range()
    if b"\\u" in body:
        try:
            value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            pass
        else:
            if _depth(value) <= MAX_DEPTH:
                refuse_unstorable_text(value)
    if reason.startswith("Detected duplicate key"):
        reason = "an object has the same key twice"
    raise MalformedBodyError(f"The body is not JSON: {reason}.") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _depth(value: object) -> int:
    """Measure nesting level by level, without recursion: the parser's own limit is far above ours."""
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def refuse_unstorable_text(value: object, pointer: str = "") -> None:
    """Refuse U+0000 and lone surrogates anywhere in a parsed value; PostgreSQL's text has neither.

    Raises:
        InvalidBodyError: CLN201 with the JSON Pointer of the first such string.
    """
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            fault = Fault("text_unstorable", "Text can't hold U+0000 or a lone surrogate.", pointer=pointer)
            raise InvalidBodyError("A text holds a character that can't be stored.", faults=[fault])
    elif isinstance(value, dict):
        for key, child in value.items():
            refuse_unstorable_text(key, pointer)
            refuse_unstorable_text(child, f"{pointer}/{escape_pointer(key)}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            refuse_unstorable_text(child, f"{pointer}/{index}")


def _refuse_large_exponents(value: object) -> None:
    """Walk a value of bounded depth; only the few bodies come here in which an exponent of four digits seems to stand."""
    if isinstance(value, Decimal):
        if value and not -MAX_EXPONENT <= value.adjusted() <= MAX_EXPONENT:
            raise _number_out_of_range()
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            _refuse_large_exponents(child)


def _number_out_of_range() -> InvalidBodyError:
    fault = Fault("number_out_of_range", f"Numbers reach from 1e-{MAX_EXPONENT} to 1e{MAX_EXPONENT}.", pointer="")
    return InvalidBodyError("A number in the body is larger or smaller than any that can be stored.", faults=[fault])


def escape_pointer(token: str) -> str:
    """Escape one reference token of a JSON Pointer (RFC 6901 §3)."""
    return token.replace("~", "~0").replace("/", "~1")


def number(value: Decimal) -> orjson.Fragment:
    """Write a decimal as the JSON number that it is, digit by digit; orjson itself knows only binary floats.

    `str` and not `format(value, "f")`: a JSON column may hold `1e999999`, which must not become a megabyte of zeros.
    """
    return orjson.Fragment(str(value))


def _default(value: object) -> Any:
    if isinstance(value, Decimal):
        return number(value)
    return to_jsonable_python(value)


def dump_json(value: object, _dumps: Callable[..., bytes] = orjson.dumps) -> bytes:
    """Write a value canonically.

    Args:
        value: dicts, lists, text, numbers, `Decimal`, aware times, `UUID`, enums, Pydantic models.

    Returns:
        UTF-8 without insignificant white space; keys in their own order.
    """
    try:
        return _dumps(value, default=_default, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        # orjson writes whole numbers of 64 bits; PostgreSQL's JSONB gives 1e20 back as the 21 digits that it is.
        return _dumps(_with_long_numbers(value), default=_default, option=orjson.OPT_UTC_Z)


def _with_long_numbers(value: object) -> object:
    if isinstance(value, dict):
        return {key: _with_long_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_long_numbers(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and value not in _64_BITS:
        return orjson.Fragment(str(value))
    return value
