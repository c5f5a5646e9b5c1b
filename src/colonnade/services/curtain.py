"""Leaving out, of what a schema has shown of an entity, the fields that its principal does not see in that row.

This is the ORM and Pydantic way of what a statement's veil does on the compiled one: the same grants, asked in Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import read_facts
from colonnade.policy.access import Access, Permit, access_to
from colonnade.policy.grant import Grant
from colonnade.schemas.present import model_in


class Curtain:
    """Draws itself before what is not seen, in a row and in the rows that are shown inside it.

    Args:
        schema: by which the row is shown.
        permit: of whoever looks.
    """

    def __init__(self, schema: type[BaseModel], permit: Permit) -> None:
        self._me = permit.principal.id
        self._hidden = list(_hidden(schema, permit.access))
        self._inner = list(self._below(schema, permit))
        self.is_partial = bool(self._hidden) or permit.access.varies(set(_keys(schema)))

    def draw(self, shown: Any, row: Any) -> None:
        """Take out of an object what is hidden in its row."""
        if not isinstance(shown, dict):
            return
        for key, grants in self._hidden:
            if not any(grant.has(lambda name: getattr(row, name), self._me) for grant in grants):
                shown.pop(key, None)
        for key, attribute, inner in self._inner:
            if isinstance(found := shown.get(key), dict):
                inner.draw(found, getattr(row, attribute))
            elif isinstance(found, list):
                inner.draw_all(found, getattr(row, attribute))

    def draw_all(self, shown: list[Any], rows: Any) -> None:
        """Take out of a list's objects what is hidden in their rows."""
        if isinstance(rows, Sequence) and len(rows) == len(shown):
            for one, row in zip(shown, rows, strict=True):
                self.draw(one, row)
        elif self._hidden or self._inner:
            shown.clear()  # which object is of which row can't be told: a serializer of the schema's own has a say

    @staticmethod
    def _below(schema: type[BaseModel], permit: Permit) -> Iterator[tuple[str, str, Curtain]]:
        relations = permit.access.facts.relations
        for name, field in schema.model_fields.items():
            inner = model_in(field.annotation)
            for source in sorted(sources_of(name, field) & relations.keys()) if inner is not None else ():
                target = relations[source].target
                try:
                    read_facts(target)
                except DeclarationError:
                    continue  # no resource can be made of it, so that it has no policy
                below = Permit(access_to(target, "read", permit.access.standing), permit.principal)
                yield _wire_key(name, field), source, Curtain(inner, below)  # type: ignore[arg-type]  # asked above


def wire_keys(schema: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Give each attribute that a schema reads, and the key under which it shows it."""
    for name, field in schema.model_fields.items():
        for source in sorted(sources_of(name, field)):
            yield source, _wire_key(name, field)


def _hidden(schema: type[BaseModel], access: Access) -> Iterator[tuple[str, tuple[Grant, ...]]]:
    """Give the wire keys that are not seen on every row, and the grants on whose rows they are."""
    for name, field in schema.model_fields.items():
        for source in sorted(sources_of(name, field)):
            if (grants := access.sight_of(source)) is not None:
                yield _wire_key(name, field), grants
    for name, computed in schema.model_computed_fields.items():
        if (grants := access.sight_of(name)) is not None:
            yield computed.alias or name, grants


def _keys(schema: type[BaseModel]) -> Iterator[str]:
    yield from schema.model_computed_fields
    for name, field in schema.model_fields.items():
        yield from sources_of(name, field)


def _wire_key(name: str, field: FieldInfo) -> str:
    return field.serialization_alias or field.alias or name


def sources_of(name: str, field: FieldInfo) -> set[str]:
    """Name a field, and whatever attribute it is read from by an alias: hidden under one name is hidden under all."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [] if alias is None else [alias]
    firsts = [choice.path[0] if isinstance(choice, AliasPath) else choice for choice in choices]
    return {name, *[str(first) for first in firsts]}
