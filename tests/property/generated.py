"""What the property tests draw: tables, rows and queries, and what plain Python makes of them."""

from __future__ import annotations

import enum
import itertools
import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import urlencode

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.orm import mapped_column

from colonnade import Base, ExactDecimal, IntegerId, JsonDocument, UTCDateTime, value_enum
from colonnade.models.base import NAMING_CONVENTION
from colonnade.models.types import TimeOfDay

numbers = itertools.count(1)


class Colour(enum.Enum):
    """Stored by value."""

    RED = "red"
    DARK_BLUE = "dark blue, very"
    GREEN = "Grün"


class Mood(enum.Enum):
    """Stored by name, as SQLAlchemy does unless it is told otherwise."""

    GOOD = "good mood"
    BAD = "bad_mood"


class Drawn(Base):
    """The base of drawn models; their tables are no part of `Base.metadata`, which other tests create as a whole."""

    __abstract__ = True
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


# Nothing that no database stores (NUL, surrogates), and every plane.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "100%", "1_0", "a,b", "a\\,b", "\\", "é", "É", "\U0001f600", "ß", " a ", "a "]
    ),
    st.text(CHARACTERS, max_size=12),
)
INSTANTS = st.one_of(
    st.sampled_from(
        [
            datetime(2026, 11, 20, 11, 4, 43, 123456, UTC),
            datetime(2026, 11, 20, 11, 4, 43, 120000, UTC),
            datetime(2026, 11, 20, 11, 4, 43, tzinfo=UTC),
            datetime(2026, 11, 20, 11, 4, 43, 1, UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        ]
    ),
    st.datetimes(
        datetime(1000, 1, 2),  # noqa: DTZ001  # the zone is drawn
        datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]),
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    TEXTS,
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


@dataclass(frozen=True, repr=False)
class Sort:
    """One sort of column: how it is declared, what may stand in it, and how a value is written in a query.

    Attributes:
        ordered: Python orders its values as every database does.
    """

    make: Callable[[], Any]
    values: st.SearchStrategy[Any]
    write: Callable[[Any], str] = str
    operators: tuple[str, ...] = ("eq", "ne", "in", "nin", "isnull")
    ordered: bool = False


_ORDERED = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "between", "isnull")
_TEXT = (*_ORDERED, "contains", "startswith", "endswith")


def _decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda scaled: Decimal(scaled).scaleb(-places))


def _numbers(type_: Any, bits: int) -> Sort:
    low, high = -(1 << bits), (1 << bits) - 1
    values = st.one_of(st.sampled_from([0, 1, -1, low, high]), st.integers(low, high))
    return Sort(lambda: type_, values, operators=_ORDERED, ordered=True)


def _plain(value: Decimal) -> str:
    return format(value, "f")


SORTS: Mapping[str, Sort] = {
    "exact": Sort(lambda: ExactDecimal(12, 3), _decimals(12, 3), _plain, _ORDERED, ordered=True),
    "longest": Sort(lambda: ExactDecimal(18, 18), _decimals(18, 18), _plain, _ORDERED, ordered=True),
    "whole": Sort(lambda: ExactDecimal(9, 0), _decimals(9, 0), _plain, _ORDERED, ordered=True),
    "plain": Sort(lambda: sa.Numeric(10, 2), _decimals(10, 2), _plain, _ORDERED, ordered=True),
    "small": _numbers(sa.SmallInteger(), 15),
    "number": _numbers(sa.Integer(), 31),
    "large": _numbers(sa.BigInteger(), 63),
    "real": Sort(sa.Double, st.floats(-1e15, 1e15, allow_subnormal=False), repr, _ORDERED, ordered=True),
    "instant": Sort(UTCDateTime, INSTANTS, datetime.isoformat, _ORDERED, ordered=True),
    "day": Sort(sa.Date, st.dates(date(1000, 1, 1)), date.isoformat, _ORDERED, ordered=True),
    "clock": Sort(lambda: TimeOfDay, st.times(), time.isoformat, _ORDERED, ordered=True),
    # MariaDB refuses to store a UUID of a version that there is not.
    "key": Sort(sa.Uuid, st.uuids(version=4)),
    "colour": Sort(lambda: value_enum(Colour), st.sampled_from(Colour), lambda value: value.value),
    "mood": Sort(lambda: sa.Enum(Mood, name=f"mood_{next(numbers)}"), st.sampled_from(Mood), lambda value: value.value),
    "word": Sort(
        lambda: sa.Enum("yes", "no, never", name=f"word_{next(numbers)}"), st.sampled_from(["yes", "no, never"])
    ),
    "document": Sort(lambda: JsonDocument, DOCUMENTS.filter(lambda value: value is not None), operators=("isnull",)),
    "flag": Sort(sa.Boolean, st.booleans(), lambda value: "true" if value else "false"),
    "title": Sort(lambda: sa.String(40), TEXTS, operators=_TEXT, ordered=True),
    "body": Sort(sa.Text, st.one_of(TEXTS, st.text(CHARACTERS, max_size=200)), operators=_TEXT, ordered=True),
}


@dataclass(frozen=True)
class Table:
    """A drawn model: its columns' sorts by attribute, and which of them take NULL."""

    model: type[Drawn]
    sorts: Mapping[str, Sort]
    nullable: frozenset[str]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw a model of up to six columns of any sort, the same sort more than once."""
    chosen = draw(st.lists(st.sampled_from(sorted(SORTS)), min_size=1, max_size=6))
    sorts = {f"{name}_{index}": SORTS[name] for index, name in enumerate(chosen)}
    nullable = frozenset(key for key in sorts if draw(st.booleans()))
    name = f"drawn_{next(numbers)}"
    columns = {key: mapped_column(sort.make(), nullable=key in nullable) for key, sort in sorts.items()}
    model = type(name.title(), (IntegerId, Drawn), {"__tablename__": name, **columns})
    return Table(model, sorts, nullable)


@st.composite
def rows_of(draw: st.DrawFn, table: Table) -> list[dict[str, Any]]:
    """Draw up to seven rows with ids; NULLs, and values that stand in several rows, are frequent."""
    columns = {
        key: st.none() | sort.values if key in table.nullable else sort.values for key, sort in table.sorts.items()
    }
    rows = draw(st.lists(st.fixed_dictionaries(columns), max_size=7))
    for row in rows[1:]:
        for key in columns:
            if draw(st.integers(0, 3)) == 0:
                row[key] = rows[0][key]
    return [{"id": number, **row} for number, row in enumerate(rows, 1)]


Condition: TypeAlias = "tuple[str, str, tuple[Any, ...]]"


@dataclass(frozen=True)
class Tree:
    """A boolean filter: conditions and trees, joined by `and`, `or` or `not` (which has one)."""

    word: str
    parts: Sequence[Condition | Tree]


@dataclass(frozen=True)
class Asked:
    """A drawn list request, as it stands in a URL and as its parts; `question` is the URL's query without the paging."""

    conditions: Sequence[Condition]
    tree: Tree | None
    sort: Sequence[tuple[str, bool]]
    offset: int
    limit: int
    query: bytes
    question: bytes


@st.composite
def requests_of(draw: st.DrawFn, table: Table, rows: Sequence[Mapping[str, Any]]) -> Asked:
    """Draw a list request with up to three conditions, most of them on values that are there."""
    one = conditions_of(table, rows)
    conditions = draw(st.lists(one, max_size=3, unique_by=lambda condition: condition[0]))
    tree = draw(st.none() | st.builds(lambda part: Tree("and", [part]), trees_of(one)))
    keys = st.sampled_from([key for key in sorted(table.sorts) if table.sorts[key].operators != ("isnull",)] + ["id"])
    order = draw(st.lists(st.tuples(keys, st.booleans()), max_size=2, unique_by=lambda pair: pair[0]))
    limit = draw(st.integers(1, 4))
    offset = limit * draw(st.integers(0, 2))
    pairs = [_parameter(table, *condition) for condition in conditions]
    if order:
        pairs.append(("sort", ",".join(f"{'-' if descending else ''}{key}" for key, descending in order)))
    if tree is not None:
        pairs.append(("filter", json.dumps(_member(table, tree.parts[0]))))
    question = urlencode(pairs).encode()
    if draw(st.booleans()):
        pairs += [("page", str(offset // limit + 1)), ("page_size", str(limit))]
    else:
        pairs += [("skip", str(offset)), ("limit", str(limit))]
    return Asked(conditions, tree, order, offset, limit, urlencode(pairs).encode(), question)


@st.composite
def conditions_of(draw: st.DrawFn, table: Table, rows: Sequence[Mapping[str, Any]]) -> Condition:
    """Draw a condition, mostly on a value that is there."""
    key = draw(st.sampled_from(sorted(table.sorts)))
    sort = table.sorts[key]
    operator = draw(st.sampled_from(sort.operators))
    if operator == "isnull":
        return key, operator, (draw(st.booleans()),)
    present = [row[key] for row in rows if row[key] is not None]
    value = st.sampled_from(present) | sort.values if present else sort.values
    return key, operator, tuple(draw(value) for _ in range({"in": 3, "nin": 2, "between": 2}.get(operator, 1)))


def trees_of(one: st.SearchStrategy[Condition]) -> st.SearchStrategy[Any]:
    """Draw a tree of conditions, at most three deep."""
    found: st.SearchStrategy[Any] = one
    for _ in range(3):
        groups = st.builds(Tree, st.sampled_from(["and", "or"]), st.lists(found, min_size=1, max_size=3))
        found = one | groups | st.builds(lambda part: Tree("not", [part]), found)
    return found


def _member(table: Table, part: Condition | Tree) -> dict[str, Any]:
    """Write a part of a tree as JSON has it."""
    if isinstance(part, Tree):
        inner = [_member(table, one) for one in part.parts]
        return {part.word: inner[0] if part.word == "not" else inner}
    key, operator, values = part
    if operator == "isnull":
        return {f"{key}__isnull": values[0]}
    written = [table.sorts[key].write(value) for value in values]
    return {f"{key}__{operator}": written if operator in {"in", "nin", "between"} else written[0]}


def _parameter(table: Table, key: str, operator: str, values: tuple[Any, ...]) -> tuple[str, str]:
    if operator == "isnull":
        return f"{key}__isnull", "true" if values[0] else "false"
    written = [table.sorts[key].write(value) for value in values]
    if operator in {"in", "nin", "between"}:
        written = [text.replace("\\", "\\\\").replace(",", "\\,") for text in written]
    return f"{key}__{operator}", ",".join(written)


def expected(table: Table, rows: Sequence[Mapping[str, Any]], asked: Asked) -> tuple[list[Any], int] | None:
    """Say what plain Python makes of a request: the ids in their order and the total; None where it can't tell the order."""
    kept = [row for row in rows if holds(row, asked)]
    if not all(key == "id" or table.sorts[key].ordered for key, _ in asked.sort):
        return None
    last = asked.sort[-1][1] if asked.sort else False
    kept.sort(key=lambda row: row["id"], reverse=last)
    for key, descending in reversed(asked.sort):
        # NULL counts as greater than every value. A stable sort keeps the order of equal rows, reversed or not.
        kept.sort(key=lambda row: (row[key] is None, _key(row[key])), reverse=descending)  # used at once
    return [row["id"] for row in kept[asked.offset : asked.offset + asked.limit]], len(kept)


def holds(row: Mapping[str, Any], asked: Asked) -> bool:
    """Say whether a row meets every condition of a request."""
    return all(meets(row, part) for part in [*asked.conditions, *([] if asked.tree is None else [asked.tree])])


def meets(row: Mapping[str, Any], part: Condition | Tree) -> bool:
    """Say whether a row meets a condition, or a tree of them; what is compared with NULL is not met, and its contrary is."""
    if not isinstance(part, Tree):
        return _holds(row, *part)
    found = [meets(row, one) for one in part.parts]
    return not found[0] if part.word == "not" else any(found) if part.word == "or" else all(found)


def _key(value: Any) -> Any:
    return 0 if value is None else value


def _holds(row: Mapping[str, Any], key: str, operator: str, values: tuple[Any, ...]) -> bool:
    value = row[key]
    if operator == "isnull":
        return (value is None) is values[0]
    return value is not None and bool(_OPERATORS[operator](value, values))


_OPERATORS: Mapping[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "eq": lambda value, values: bool(value == values[0]),
    "ne": lambda value, values: bool(value != values[0]),
    "lt": lambda value, values: bool(value < values[0]),
    "lte": lambda value, values: bool(value <= values[0]),
    "gt": lambda value, values: bool(value > values[0]),
    "gte": lambda value, values: bool(value >= values[0]),
    "in": lambda value, values: value in values,
    "nin": lambda value, values: value not in values,
    "between": lambda value, values: bool(values[0] <= value <= values[1]),
    "contains": lambda value, values: values[0] in value,
    "startswith": lambda value, values: value.startswith(values[0]),
    "endswith": lambda value, values: value.endswith(values[0]),
}


def wire(value: Any) -> Any:
    """Write a value as the wire has it, by the text of `conventions.md` and by none of the library's code."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, uuid.UUID):
        return str(value)
    return exact(value)


def exact(value: Any) -> Any:
    """Turn floats into the decimals that their shortest text is, at any depth, so that numbers compare exactly."""
    if isinstance(value, float):
        assert math.isfinite(value)
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else value


def read(body: bytes) -> Any:
    """Parse a body with exact numbers."""
    return json.loads(body, parse_float=Decimal)
