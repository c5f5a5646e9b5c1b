"""Form and table fields of a resource, by what its columns hold and what its schemas take."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from starlette.requests import Request
from starlette_admin import fields as of
from starlette_admin.fields import BaseField

from colonnade.admin.filters import offered
from colonnade.admin.row import Row
from colonnade.api.resource import Resource
from colonnade.models.facts import ColumnFacts, Kind, RelationFacts, TableFacts, read_facts

LONG_TEXT = 120
"""Characters from which a text gets a box of several lines."""


@dataclass
class Reference(of.HasOne):
    """A foreign key: picked from the rows that it may name, shown by what such a row is called.

    Attributes:
        relation: that goes along it, when the list shows it beside the row; no row costs a query of its own then.
        facts: of the table that it leads to.
    """

    relation: str = ""
    facts: TableFacts = field(default=None, repr=False)  # type: ignore[assignment]  # dataclasses want a default

    async def parse_obj(self, request: Request, obj: Any) -> Any:
        """Give the row that is referred to: with its fields where it came along, by its key alone otherwise."""
        shown = obj.values.get(self.relation)
        key = obj.values.get(self.name)
        if shown is None:
            return None if key is None else Row({self.facts.identity.key: key}, self.facts)
        return Row(shown, self.facts)


def fields_of(resource: Resource, views: Mapping[str, str]) -> list[BaseField]:
    """Make the fields of a resource: those of its response, then those that only its bodies have.

    Args:
        resource: its schemas decide which may be sent when.
        views: name of a table -> key of the page that shows its rows.
    """
    blueprint = resource.blueprint
    shown, created = blueprint.response.model_fields, blueprint.create.model_fields
    changed = blueprint.update.model_fields
    found = []
    for name in dict.fromkeys([*shown, *created, *changed]):
        made = _field(resource, name, views)
        made.required = _is_required(name, created, blueprint.facts)
        made.exclude_from_create = made.exclude_from_import = name not in created
        made.exclude_from_edit = name not in changed
        made.exclude_from_list = name not in shown or _is_aside(made, blueprint.facts)
        made.exclude_from_detail = made.exclude_from_export = name not in shown
        found.append(made)
    return found


def _field(resource: Resource, name: str, views: Mapping[str, str]) -> BaseField:
    facts, blueprint = resource.blueprint.facts, resource.blueprint
    column = facts.columns.get(name)
    if column is None:
        return _of_schema(name, blueprint.create.model_fields.get(name))
    relation = relation_of(facts, column)
    if relation is not None and (key := views.get(relation.target.__tablename__)) is not None:
        at = relation.key if relation.key in blueprint.includes else ""
        return Reference(
            name, label=_spoken(relation.key), key=key, relation=at, facts=read_facts(relation.target), filters=[]
        )
    made = _of_column(name, column)
    made.filters = offered(name, column.kind, resource.rules.filters)
    return made


def _is_aside(made: BaseField, facts: TableFacts) -> bool:
    """Tell whether a field would only make a table wide: long texts, documents, and what keeps the books of a row."""
    column = facts.columns.get(made.name)
    books = column is not None and column.server_owned and column.on_update is not None
    return isinstance(made, of.TextAreaField | of.JSONField) or books or made.name in _BOOKS


_BOOKS = frozenset({"version", "is_deleted", "deleted_at"})


def relation_of(facts: TableFacts, column: ColumnFacts) -> RelationFacts | None:
    """Find the relation that goes along a foreign key."""
    return next((relation for relation in facts.relations.values() if _goes_along(relation, column)), None)


def _goes_along(relation: RelationFacts, column: ColumnFacts) -> bool:
    return relation.plain and not relation.to_many and relation.pairs[0][0] is column.column and bool(_keys(column))


def _keys(column: ColumnFacts) -> bool:
    return bool(column.column.foreign_keys)


def _of_column(name: str, column: ColumnFacts) -> BaseField:
    match column.kind:
        case Kind.ENUM:
            return of.EnumField(name, choices=list(_choices(column)))
        case Kind.TEXT if column.max_length is None or (column.max_length > LONG_TEXT and "email" not in name):
            return of.TextAreaField(name, maxlength=column.max_length)
        case Kind.TEXT:
            return of.StringField(name, maxlength=column.max_length)
        case Kind.DECIMAL:
            scale = column.digits[1] if column.digits else 2
            return of.DecimalField(name, step=str(10**-scale) if scale < 1 else f"0.{'0' * (scale - 1)}1")
    return _PLAIN.get(column.kind, of.StringField)(name)


_PLAIN: Mapping[Kind, type[BaseField]] = {
    Kind.INTEGER: of.IntegerField,
    Kind.BOOLEAN: of.BooleanField,
    Kind.FLOAT: of.FloatField,
    Kind.DATETIME: of.DateTimeField,
    Kind.DATE: of.DateField,
    Kind.TIME: of.TimeField,
    Kind.UUID: of.UUIDField,
    Kind.JSON: of.JSONField,
}


def _choices(column: ColumnFacts) -> Iterator[tuple[str, str]]:
    for member in column.python_type if issubclass(column.python_type, enum.Enum) else ():
        yield str(member.value), _spoken(str(member.value))


def _of_schema(name: str, info: FieldInfo | None) -> BaseField:
    """Make the field of what is no column: a password that is hashed, lines that become rows, a value that is computed."""
    annotation: Any = None if info is None else info.annotation
    if annotation is SecretStr:
        return of.PasswordField(name, filters=[])
    if info is None or annotation in {int, str, float, bool}:
        return of.JSONField(name, filters=[]) if info is None else of.StringField(name, filters=[])
    return of.JSONField(name, filters=[])


def _is_required(name: str, created: Mapping[str, FieldInfo], facts: TableFacts) -> bool:
    if name not in created or not created[name].is_required():
        return False
    column = facts.columns.get(name)
    # An unticked box is an answer too.
    return column is None or column.kind is not Kind.BOOLEAN


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()
