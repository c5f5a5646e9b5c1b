"""Reading JSON by a user's own schema: its kinds of value are kept apart, and its forms of other values are read."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model, model_validator

from colonnade.core.json import parse_json
from colonnade.schemas.json_kinds import json_list_validator, json_validator


class Size(enum.Enum):
    """Values of both kinds."""

    ONE = 1
    BIG = "big"


class Weight(enum.Enum):
    """Numbers with a fraction."""

    HALF = 0.5
    WHOLE = 1.0


@dataclass
class Corner:
    """A dataclass inside a schema."""

    x: int


class Inner(BaseModel):
    """A model inside of a schema."""

    count: int = 0
    children: list[Inner] = []


def read(kind: Any, text: str, **config: Any) -> object:
    """Read a JSON text as the only field of a schema."""
    schema = create_model("Given", __config__=ConfigDict(**config), field=(kind, ...))
    value: Any = json_validator(schema).validate_python({"field": parse_json(text.encode())})
    return value.field


TAKEN_FOR_ANOTHER = [
    (bool, '"off"'), (bool, '"true"'), (bool, "1"), (bool, "0"), (bool, "1.0"), (bool | None, "1"),
    (int, "true"), (int, '"5"'), (int, "5.5"), (int | None, "false"), (list[int], '["5"]'), (dict[str, int], '{"a": true}'),
    (set[int], "[true]"), (tuple[int, bool], "[1, 1]"), (Annotated[int, Field(ge=0)], '"5"'), (int | bool, '"1"'),
    (float, "true"), (float, '"1.5"'), (Decimal, "true"),
    (datetime, "5"), (datetime, '"5"'), (datetime, "1.5"), (datetime, "true"), (date, "5"), (date, '"20260131"'),
    (time, "5"), (time, '"12"'), (timedelta, "5"), (timedelta, '"5"'),
    (UUID, "5"), (str, "5"), (str, "true"), (Size, "true"), (Size, '"1"'), (Size, "1.0"), (Weight, "true"),
    (Literal[1], "true"), (Literal["1"], "1"), (Inner, '{"count": "5"}'),
    (Inner, '{"children": [{"count": true}]}'), (Corner, '{"x": "5"}'),
]  # fmt: skip


@pytest.mark.parametrize("config", [{}, {"strict": True}], ids=["default", "strict"])
@pytest.mark.parametrize(
    ("kind", "text"), TAKEN_FOR_ANOTHER, ids=[f"{kind}-{text}" for kind, text in TAKEN_FOR_ANOTHER]
)
def test_no_kind_is_taken_for_another(kind: Any, text: str, config: dict[str, Any]) -> None:
    """S77: what Pydantic would turn into another kind of value is refused, at any depth."""
    with pytest.raises(ValidationError):
        read(kind, text, **config)


FORMS = [
    (bool, "true", True), (int, "5", 5), (int, "5.0", 5), (float, "5", 5.0), (float, "1.5", 1.5),
    (Decimal, "5", Decimal(5)), (Decimal, "12345678901234567.89", Decimal("12345678901234567.89")),
    (Decimal, '"1.50"', Decimal("1.50")),
    (datetime, '"2026-01-31T12:00:00Z"', datetime(2026, 1, 31, 12, tzinfo=UTC)),
    (date, '"2026-01-31"', date(2026, 1, 31)), (time, '"12:30:00"', time(12, 30)),
    (timedelta, '"PT90S"', timedelta(seconds=90)),
    (UUID, '"12345678-1234-1234-1234-123456789abc"', UUID("12345678-1234-1234-1234-123456789abc")),
    (Size, "1", Size.ONE), (Size, '"big"', Size.BIG), (Weight, "0.5", Weight.HALF), (Weight, "1", Weight.WHOLE),
    (bytes, '"abc"', b"abc"), (set[int], "[1, 1]", {1}), (frozenset[str], '["a"]', frozenset("a")),
    (tuple[int, str], '[1, "a"]', (1, "a")), (int | str, '"5"', "5"), (int | str, "5", 5), (float | int, "5", 5),
    (bool | int, "1", 1), (bool | int, "true", True), (int | None, "null", None),
    (Any, '"5"', "5"), (dict[str, Any], "{}", {}),
    (Literal[1, "a"], "1", 1), (Inner, '{"children": [{"count": 2}]}', Inner(children=[Inner(count=2)])),
    (Corner, '{"x": 5}', Corner(5)),
]  # fmt: skip


@pytest.mark.parametrize("config", [{}, {"strict": True}], ids=["default", "strict"])
@pytest.mark.parametrize(("kind", "text", "value"), FORMS, ids=[f"{kind}-{text}" for kind, text, _ in FORMS])
def test_the_forms_that_json_has_are_read(kind: Any, text: str, value: object, config: dict[str, Any]) -> None:
    """S48: prices from numbers, times, UUIDs, enums and lists as JSON writes them, in a schema declared strict, too."""
    found = read(kind, text, **config)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text", "config", "value"),
    [
        (Annotated[int, Field(strict=False)], '"5"', {}, 5),
        (Annotated[bool, Field(strict=False)], '"off"', {}, False),
        (int, '"5"', {"strict": False}, 5),
        (Annotated[int, BeforeValidator(lambda text: text.strip())], '" 5 "', {}, 5),
    ],
    ids=["field", "bool", "model", "validator"],
)
def test_a_schema_may_say_otherwise(kind: Any, text: str, config: dict[str, Any], value: object) -> None:
    """A field, a whole model or a validator of the user's that wants Pydantic's leniency has it."""
    assert read(kind, text, **config) == value


def test_a_validator_of_the_whole_leaves_the_fields_strict() -> None:
    """What looks at the whole object before its fields has no say about them."""

    class Pair(BaseModel):
        first: int

        @model_validator(mode="before")
        @classmethod
        def look(cls, value: Any) -> Any:
            return value

    with pytest.raises(ValidationError):
        json_validator(Pair).validate_python({"first": "1"})


@pytest.mark.parametrize("schema", [Inner, create_model("Flat", count=(int, ...))], ids=["recursive", "flat"])
def test_a_list_is_read_alike(schema: type[BaseModel]) -> None:
    """Many items are read in one go, as strictly as one."""
    assert json_list_validator(schema).validate_python([{"count": 1}, {"count": 2}])[1].count == 2  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        json_list_validator(schema).validate_python([{"count": 1}, {"count": "2"}])
