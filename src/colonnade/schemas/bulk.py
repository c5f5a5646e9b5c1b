"""The bodies and answers of the bulk routes, derived from a resource's own schemas.

What stands inside a body's items is described for OpenAPI and left unread (`SkipValidation`): each item is read by itself,
so that one that does not fit can be told by its place, and the others still be made.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, create_model

from colonnade.models.facts import TableFacts
from colonnade.schemas.derive import write_type

MAX_ITEMS = 1_000


class BulkBody(BaseModel):
    """What all bulk bodies have."""

    model_config = ConfigDict(extra="forbid")

    atomic: Annotated[
        bool, Field(strict=True, description="false: make what can be made, and answer 207 with one result per item")
    ] = True


class BulkResult(BaseModel):
    """What became of one item (`atomic=false`)."""

    index: int
    status: int
    body: Any = Field(None, description="The row, or the problem document")


class BulkResults(BaseModel):
    """One result per item, in their order."""

    results: list[BulkResult]


class Affected(BaseModel):
    """How many rows were deleted."""

    affected: int


def many_body(name: str, item: type[BaseModel]) -> type[BulkBody]:
    """Make `{"items": [...]}`, of at least one and at most a thousand items."""
    return create_model(f"{name}", __base__=BulkBody, items=(_list(item), ...))


def change_body(name: str, facts: TableFacts, update: type[BaseModel]) -> type[BulkBody]:
    """Make the body of a bulk change in its three forms: ids and set, items, filter and set."""
    fields: dict[str, Any] = {
        "ids": (_ids(facts), _left_out()),
        "items": (_list(_identified(name, facts, update)), _left_out()),
        "filter": (dict[str, Any], _left_out()),
        "max_affected": (_MOST, _left_out()),
        "set": (_unread(update), _left_out()),
    }
    return _in_forms(name, fields, CHANGE_FORMS)


def delete_body(name: str, facts: TableFacts) -> type[BulkBody]:
    """Make the body of a bulk delete: ids, or filter and the most that it may delete."""
    fields: dict[str, Any] = {
        "ids": (_ids(facts), _left_out()),
        "filter": (dict[str, Any], _left_out()),
        "max_affected": (_MOST, _left_out()),
    }
    return _in_forms(name, fields, DELETE_FORMS)


Forms = tuple[tuple[str, ...], ...]

CHANGE_FORMS: Forms = (("ids", "set"), ("items",), ("filter", "max_affected", "set"))
DELETE_FORMS: Forms = (("ids",), ("filter", "max_affected"))
"""Which members go together; the first one of a form gives it its name."""

_IN_PARTS = {"ids": ("atomic",), "items": ("atomic",)}


def _in_forms(name: str, fields: dict[str, Any], forms: Forms) -> type[BulkBody]:
    """Make a body whose JSON Schema is one object per form, where the model itself has every member of all forms."""

    def split(schema: dict[str, Any]) -> None:
        members = schema.pop("properties")
        schema.clear()
        schema["title"] = name
        schema["oneOf"] = [
            {
                "type": "object",
                "title": f"{name}By{form[0].title()}",  # of its own, since generated clients name a class by it
                "properties": {member: members[member] for member in (*form, *_IN_PARTS.get(form[0], ()))},
                "required": list(form),
                "additionalProperties": False,
            }
            for form in forms
        ]

    class Body(BulkBody):
        model_config = ConfigDict(json_schema_extra=split)

    return create_model(name, __base__=Body, **fields)


def _left_out() -> Any:
    # A factory, since a plain `default=None` would tell OpenAPI that null is allowed.
    return Field(default_factory=lambda: None)


def many_shown(name: str, plural: str, row: type[BaseModel], *, counted: bool) -> type[BaseModel]:
    """Make the answer: the rows in the items' order, and how many were changed."""
    shown: Any = row
    fields: dict[str, Any] = {"affected": (int, ...)} if counted else {}
    fields[plural] = (list[shown], ...)
    return create_model(name, **fields)


_MOST = Annotated[int, Field(ge=1, le=MAX_ITEMS, strict=True)]


def _list(item: type[BaseModel]) -> Any:
    return Annotated[list[_unread(item)], Field(min_length=1, max_length=MAX_ITEMS)]  # type: ignore[misc]


def _ids(facts: TableFacts) -> Any:
    kind = write_type(facts.identity)
    bounds = Field(min_length=1, max_length=MAX_ITEMS, json_schema_extra={"uniqueItems": True})
    return Annotated[list[_unread(kind)], bounds]  # type: ignore[misc]


def _unread(kind: Any) -> Any:
    return Annotated[kind, SkipValidation]


def _identified(name: str, facts: TableFacts, update: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {facts.identity.key: (write_type(facts.identity), ...)}
    if facts.version is not None:
        fields[facts.version.key] = (int | None, Field(None, description="The version that the row must still have"))
    return create_model(f"{name}Item", __base__=update, **fields)
