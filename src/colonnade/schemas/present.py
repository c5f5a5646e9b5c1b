"""Showing a row through a Pydantic schema that computes: stock Pydantic, but decimals are JSON numbers, as everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, get_args

import orjson
from pydantic import BaseModel
from pydantic.functional_serializers import PlainSerializer, WrapSerializer

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

Mend = Callable[[dict[str, Any]], None]


class Presenter:
    """Turns rows into what the wire shows of them, by a schema.

    Args:
        schema: read from attributes; its own validators and serializers run.
    """

    def __init__(self, schema: type[BaseModel]) -> None:
        self._schema = schema
        self._mend = _mender(schema)

    def present(self, row: object) -> dict[str, Any]:
        """Validate and dump one row."""
        shown = self._schema.model_validate(row, from_attributes=True).model_dump(mode="json", by_alias=True)
        self._mend(shown)
        return shown


def _mender(schema: type[BaseModel]) -> Mend:
    """Make the function that turns the text that Pydantic writes for a `Decimal` back into the number that it is."""
    decimals: list[str] = []
    nested: list[tuple[str, Mend]] = []
    for key, annotation in _stock_fields(schema):
        if _holds(annotation, Decimal):
            decimals.append(key)
        elif inner := model_in(annotation):
            nested.append((key, _mender(inner)))

    def mend(shown: dict[str, Any]) -> None:
        for key in decimals:
            if key in shown:  # a field may be excluded
                shown[key] = _as_number(shown[key])
        for key, mend_inner in nested:
            _each(shown.get(key), mend_inner)

    return mend


def _stock_fields(schema: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Give wire key and type of the fields, computed ones too, for which the schema has no serializer of its own."""
    found = schema.__pydantic_decorators__.field_serializers.values()
    own = {name for serializer in found for name in serializer.info.fields}
    for name, field in schema.model_fields.items():
        if name not in own and not any(isinstance(item, PlainSerializer | WrapSerializer) for item in field.metadata):
            yield field.serialization_alias or field.alias or name, field.annotation
    for name, computed in schema.model_computed_fields.items():
        if name not in own:
            yield computed.alias or name, computed.return_type


def _each(value: object, mend: Mend) -> None:
    if isinstance(value, dict):
        mend(value)
    elif isinstance(value, list):
        for item in value:
            _each(item, mend)


def _as_number(value: object) -> object:
    if isinstance(value, list):
        return [_as_number(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_number(item) for key, item in value.items()}
    return orjson.Fragment(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _holds(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_holds(argument, wanted) for argument in get_args(annotation))


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the schema inside an annotation: of `X`, `X | None`, `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := model_in(argument))), None)
