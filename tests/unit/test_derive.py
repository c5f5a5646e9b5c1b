"""Schemas derived from a model: what a client may send, must send, and sees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from colonnade.models.facts import read_facts
from colonnade.schemas.derive import Email, derive_create, derive_response, derive_update, take_version
from colonnade.schemas.json_kinds import json_validator
from tests.library import Book, Publisher

FACTS = read_facts(Book)
CREATE, UPDATE, RESPONSE = derive_create(FACTS), derive_update(FACTS), derive_response(FACTS)
OWNED = {"id", "version", "created_at", "updated_at"}


def property_of(schema: Any, name: str) -> dict[str, Any]:
    """Give the JSON Schema of a field, of what is not null where it may be."""
    found: dict[str, Any] = schema.model_json_schema()["properties"][name]
    return next((one for one in found["anyOf"] if one.get("type") != "null"), found) if "anyOf" in found else found


def test_names_say_what_a_schema_is_for() -> None:
    """OpenAPI's components are called after the model."""
    assert [schema.__name__ for schema in (CREATE, UPDATE, RESPONSE)] == ["BookCreate", "BookUpdate", "BookResponse"]


def test_what_is_the_servers_own_can_not_be_sent() -> None:
    """S13: ids, versions and times are shown and never taken."""
    assert OWNED & (CREATE.model_fields.keys() | UPDATE.model_fields.keys()) == set()
    assert RESPONSE.model_fields.keys() == FACTS.columns.keys()


def test_a_new_row_needs_what_has_no_default() -> None:
    """S42: a title and nothing else; a change needs nothing at all; an answer has everything."""
    required = [schema.model_json_schema().get("required", []) for schema in (CREATE, UPDATE)]
    assert required == [["title"], []]
    assert set(RESPONSE.model_json_schema(mode="serialization")["required"]) == FACTS.columns.keys()


@pytest.mark.parametrize("schema", [CREATE, UPDATE], ids=["create", "update"])
@pytest.mark.parametrize(("key", "allowed"), [("price", True), ("isbn", True), ("pages", False), ("title", False)])
def test_null_is_for_columns_that_take_it(schema: Any, key: str, allowed: bool) -> None:
    """S13: null is a value of its own, not the same as nothing."""
    body = {"title": "Emma", key: None}
    if allowed:
        assert getattr(json_validator(schema).validate_python(body), key) is None
    else:
        with pytest.raises(ValidationError):
            json_validator(schema).validate_python(body)


def test_unknown_fields_are_refused() -> None:
    """A misspelt field would be lost in silence."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        CREATE.model_validate({"title": "Emma", "titel": "Emma"})


@pytest.mark.parametrize(
    ("key", "described"),
    [
        ("title", {"type": "string", "maxLength": 20}),
        ("copies", {"type": "integer", "minimum": -32768, "maximum": 32767}),
        ("weight", {"type": "number"}),
        ("released", {"type": "string", "format": "date-time"}),
        ("printed", {"type": "string", "format": "date"}),
        ("publisher_id", {"type": "string", "format": "uuid"}),
        ("featured", {"type": "boolean"}),
    ],
)
def test_bounds_are_told(key: str, described: dict[str, Any]) -> None:
    """S28: a client knows them before it sends anything."""
    assert described.items() <= property_of(CREATE, key).items()


@pytest.mark.parametrize("price", ["0.01", "99999999.99", "-5"])
def test_a_decimal_fits_its_column(price: str) -> None:
    """S48: up to all of its digits, exactly."""
    assert CREATE.model_validate({"title": "a", "price": Decimal(price)}).price == Decimal(price)  # type: ignore[attr-defined]


@pytest.mark.parametrize("price", ["0.001", "100000000", "NaN", "Infinity"])
def test_a_decimal_beyond_its_column_is_refused(price: str) -> None:
    """S48: neither rounded nor cut."""
    with pytest.raises(ValidationError):
        CREATE.model_validate({"title": "a", "price": Decimal(price)})


def test_a_change_says_its_version_where_there_is_one() -> None:
    """S73: as a field that may be left out; a table without versions has its schema as it is."""
    taken = take_version(UPDATE, FACTS, "BookPatch")
    assert taken.__name__ == "BookPatch"
    assert taken.model_fields.keys() - UPDATE.model_fields.keys() == {"version"}
    assert "version" not in taken.model_json_schema().get("required", [])
    assert take_version(taken, FACTS, "Again") is taken
    publisher = read_facts(Publisher)
    assert take_version(update := derive_update(publisher), publisher, "PublisherPatch") is update


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("ada+x@example.com", "ada+x@example.com"),
        ("straße@example.com", "strasse@example.com"),
    ],
)
def test_addresses_are_normalised(given: str, normal: str) -> None:
    """S9: unique without regard to case."""
    assert TypeAdapter(Email).validate_python(given) == normal


@pytest.mark.parametrize(
    "given", ["ada", "ada@", "@example.com", "Ada <ada@example.com>", "a b@example.com", "ada@localhost", ""]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    """S9: a bare address and nothing around it."""
    with pytest.raises(ValidationError):
        TypeAdapter(Email).validate_python(given)
