"""What a resource is, once declared: everything that the use cases need, free of HTTP."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, create_model

from colonnade.models.facts import TableFacts, read_facts
from colonnade.query.compile import CompiledStatement
from colonnade.query.plan import Source
from colonnade.query.request import View
from colonnade.schemas.projection import Projection, read_projection
from colonnade.services.hooks import Service

MAX_PLANS = 1_000
MAX_TEXT = 4_000_000
"""Shapes kept per resource, and characters of their statements: a client that tries every combination, or writes the
longest filters that it can think of, must not fill the memory."""


class PlanCache(dict[Hashable, object]):
    """Plans by shape; when it is full, the oldest ones go, and are made anew for a client that asks for them again."""

    def __init__(self) -> None:
        super().__init__()
        self._text = 0

    def __setitem__(self, shape: Hashable, plan: object) -> None:
        self._text += _text_of(plan) - _text_of(self.pop(shape, None))
        while self and (len(self) >= MAX_PLANS or self._text > MAX_TEXT):
            self._text -= _text_of(self.pop(next(iter(self))))
        super().__setitem__(shape, plan)


def _text_of(plan: object) -> int:
    """Count the characters of its statements: what a plan takes of the memory goes by them."""
    if isinstance(plan, CompiledStatement):
        return len(plan.sql)
    if isinstance(plan, list | tuple):
        return sum(map(_text_of, plan))
    rows = getattr(plan, "rows", None)
    return len(rows.sql) if isinstance(rows, CompiledStatement) else 0


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One resource.

    Attributes:
        plural: the key of its lists, e.g. `users`.
        facts: its table.
        create, update, response: its schemas.
        service: its rules.
        includes: path of a relation that may be shown beside a row -> the schema of what is shown of it.
    """

    plural: str
    facts: TableFacts
    create: type[BaseModel]
    update: type[BaseModel]
    response: type[BaseModel]
    service: Service = field(default_factory=Service)
    includes: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    _schemas: PlanCache = field(init=False, compare=False, default_factory=PlanCache)

    @property
    def label(self) -> str:
        """What a person calls one row, e.g. `User`."""
        return self.facts.model.__name__

    def schema(self, view: View) -> type[BaseModel]:
        """Give the response's schema with the relations of a view in it."""
        if not view.include:
            return self.response
        found = self._schemas.get(view.include)
        if found is None:
            shown = {path: self.includes[path] for path in view.include}
            found = self._schemas[view.include] = _with_relations(self.response, self.facts, shown)
        return found  # type: ignore[return-value]  # a schema each

    def source(self, view: View) -> Source:
        """Give what is read: a projection where the schema is one and no read hook wants to see the rows."""
        computes = self.service.overrides("after_read")
        access = None if view.permit is None else view.permit.access
        return Source(self.facts, None if computes else self._projection(view), view.deleted, access)

    def mingles(self, view: View) -> bool:
        """Tell whether a view shows, or computes, more than the row's own columns: its version does not tell all then."""
        projection = self._projection(view)
        return projection is None or bool(projection.nested)

    def _projection(self, view: View) -> Projection | None:
        projection = read_projection(self.schema(view), self.facts)
        return projection.only(view.fields) if projection is not None and view.fields else projection


def _with_relations(
    schema: type[BaseModel], facts: TableFacts, relations: Mapping[str, type[BaseModel]]
) -> type[BaseModel]:
    """Add relations to a schema; a dotted path goes into the schema of the relation that it begins with."""
    fields: dict[str, Any] = {}
    for key, shown in relations.items():
        if "." in key:
            continue
        relation = facts.relations[key]
        below = {path.partition(".")[2]: inner for path, inner in relations.items() if path.startswith(f"{key}.")}
        inner = _with_relations(shown, read_facts(relation.target), below) if below else shown
        fields[key] = (list[inner] if relation.to_many else inner | None, ...)  # type: ignore[valid-type]
    return create_model(f"{schema.__name__}With{''.join(key.title() for key in fields)}", __base__=schema, **fields)
