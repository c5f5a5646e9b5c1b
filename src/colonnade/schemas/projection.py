"""Seeing through a response schema: is it a plain projection of columns, or does it compute?

A plain one needs no Pydantic at run time: what the row holds is what the wire shows, so the compiled way may serve it.
Whatever this module can't prove plain is treated as computing and takes the ORM and Pydantic way, which is always right.
"""

from __future__ import annotations

import types
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Union, get_args, get_origin
from uuid import UUID

import annotated_types
from pydantic import BaseModel, EmailStr, StringConstraints, WithJsonSchema
from pydantic.fields import FieldInfo

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import ColumnFacts, Kind, RelationFacts, TableFacts, read_facts

_PLAIN: dict[Kind, tuple[Any, ...]] = {
    Kind.INTEGER: (int,),
    Kind.TEXT: (str, EmailStr),
    Kind.BOOLEAN: (bool,),
    Kind.FLOAT: (float,),
    Kind.DECIMAL: (Decimal,),
    Kind.DATETIME: (datetime,),
    Kind.DATE: (date,),
    Kind.TIME: (time,),
    Kind.UUID: (UUID,),
    Kind.JSON: (Any, object, dict, list, dict[str, Any], list[Any]),
}

# They check a value without changing it, and it was checked on its way in; a lower-casing validator of an e-mail address
# has nothing left to do on its way out.
_INERT = (annotated_types.BaseMetadata, annotated_types.GroupedMetadata, WithJsonSchema)
_CONFIG_THAT_COMPUTES = frozenset(
    {"alias_generator", "json_encoders", "ser_json_timedelta", "ser_json_temporal", "ser_json_bytes", "ser_json_inf_nan",
     "str_to_lower",
     "str_to_upper", "str_strip_whitespace", "use_enum_values", "extra"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Nested:
    """A relation shown inside a row: one object or null, or a list of them."""

    key: str
    relation: RelationFacts
    facts: TableFacts
    projection: Projection


@dataclass(frozen=True, slots=True)
class Projection:
    """The keys of a response in the schema's own order, and which of them are columns and which are relations."""

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    nested: tuple[Nested, ...]

    def only(self, wanted: Collection[str]) -> Projection:
        """Show these keys only, in the same order."""
        return Projection(
            tuple(key for key in self.keys if key in wanted),
            tuple(key for key in self.columns if key in wanted),
            tuple(nested for nested in self.nested if nested.key in wanted),
        )


def read_projection(schema: type[BaseModel], facts: TableFacts) -> Projection | None:
    """See through a response schema.

    Args:
        schema: what the wire shows.
        facts: the table it is about.

    Returns:
        The projection, or None when the schema computes: validators, serializers, computed fields, aliases, types that
        differ from the column's own.
    """
    if _computes(schema):
        return None
    columns: list[str] = []
    nested: list[Nested] = []
    for key, field in schema.model_fields.items():
        if key in facts.columns and _is_plain(field, facts.columns[key]):
            columns.append(key)
        elif key in facts.relations and (found := _read_nested(key, field, facts.relations[key])):
            nested.append(found)
        else:
            return None
    return Projection(tuple(schema.model_fields), tuple(columns), tuple(nested))


def _computes(schema: type[BaseModel]) -> bool:
    found = schema.__pydantic_decorators__
    decorated = (
        found.validators, found.field_validators, found.root_validators, found.field_serializers,
        found.model_serializers, found.model_validators, found.computed_fields,
    )  # fmt: skip
    overridden = schema.model_post_init is not BaseModel.model_post_init
    return any(decorated) or overridden or bool(_CONFIG_THAT_COMPUTES & set(schema.model_config))


def _is_plain(field: FieldInfo, column: ColumnFacts) -> bool:
    annotation, optional = _strip_optional(field.annotation)
    if _is_renamed(field) or field.exclude or field.exclude_if or (column.nullable and not optional):
        return False
    metadata = list(field.metadata)
    if hasattr(annotation, "__metadata__"):
        # `Optional[Annotated[...]]` keeps its metadata inside.
        annotation, *inner = get_args(annotation)
        metadata += inner
    return all(_is_inert(item) for item in metadata) and _is_own_type(annotation, column)


def _is_renamed(field: FieldInfo) -> bool:
    # By a validation alias Pydantic reads another attribute than the field's own.
    return bool(field.alias or field.serialization_alias or field.validation_alias)


def _is_inert(metadata: object) -> bool:
    if isinstance(metadata, StringConstraints) and (
        metadata.strip_whitespace or metadata.to_lower or metadata.to_upper
    ):
        return False
    return isinstance(metadata, _INERT)


def _is_own_type(annotation: Any, column: ColumnFacts) -> bool:
    if column.kind is Kind.ENUM:
        return annotation is column.python_type
    return any(annotation is plain or annotation == plain for plain in _PLAIN.get(column.kind, ()))


def _strip_optional(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        arguments = [item for item in get_args(annotation) if item is not type(None)]
        if len(arguments) == 1 and len(get_args(annotation)) == 2:
            return arguments[0], True
    return annotation, annotation is Any


def _read_nested(key: str, field: FieldInfo, relation: RelationFacts) -> Nested | None:
    if not relation.plain:
        return None
    annotation, _ = _strip_optional(field.annotation)
    if relation.to_many:
        if get_origin(annotation) is not list:
            return None
        annotation = get_args(annotation)[0]
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)) or _is_renamed(field) or field.metadata:
        return None
    try:
        target = read_facts(relation.target)
    except DeclarationError:
        return None  # no resource can be made of it, but the ORM reads it
    projection = read_projection(annotation, target)
    return None if projection is None else Nested(key, relation, target, projection)
