"""The ORM and Pydantic way of reading: entities with their relations loaded eagerly, the read hook, the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, raiseload, selectinload
from sqlalchemy.orm.interfaces import LoaderOption
from sqlalchemy.sql.visitors import replacement_traverse

from colonnade.models.facts import RelationFacts, read_facts
from colonnade.policy.access import Permit, access_to
from colonnade.query.plan import ReadPlan
from colonnade.query.request import View
from colonnade.query.selection import MAX_CHILDREN
from colonnade.schemas.present import Presenter, model_in
from colonnade.services.blueprint import Blueprint
from colonnade.services.curtain import Curtain, sources_of, wire_keys


class EntityReader:
    """Reads and shows entities of one resource in one view; works for any schema.

    Args:
        blueprint: the resource.
        view: how much of each row is shown.
    """

    def __init__(self, blueprint: Blueprint, view: View) -> None:
        self._blueprint = blueprint
        self._fields = view.fields
        schema = blueprint.schema(view)
        self._presenter = Presenter(schema)
        self._curtain = None if view.permit is None else Curtain(schema, view.permit)
        self.mingles = blueprint.mingles(view) or (self._curtain is not None and self._curtain.is_partial)
        self._loads = [*_loads(schema, blueprint.facts.model, view.permit), raiseload("*")]
        self._related = list(_related(schema, blueprint.facts.model))

    async def rows(self, session: AsyncSession, plan: ReadPlan, values: Mapping[str, object]) -> Sequence[Any]:
        """Load the entities of a plan, and let the service's hook see them."""
        rows = await self.load(session, plan, values)
        await self.read(session, rows)
        return rows

    async def load(self, session: AsyncSession, plan: ReadPlan, values: Mapping[str, object]) -> Sequence[Any]:
        """Load entities: one statement, and one more for each relation that the schema shows."""
        return (await session.scalars(plan.entities.options(*self._loads), values)).all()

    async def read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """Let the service's hook see what was loaded and is going to be shown."""
        await self._blueprint.service.after_read(session, rows)

    def show(self, row: object) -> dict[str, Any]:
        """Show an entity as the wire has it."""
        shown = self._presenter.present(row)
        if self._curtain is not None:
            self._curtain.draw(shown, row)
        _cut(shown, self._related)
        return {key: shown[key] for key in shown if key in self._fields} if self._fields else shown


def _loads(schema: type[BaseModel], model: type[DeclarativeBase], permit: Permit | None) -> Iterator[LoaderOption]:
    """Load each relation that a schema shows with one more statement; refuse to load any other in passing."""
    relations = read_facts(model).relations
    shown = {key: field for name, field in schema.model_fields.items() for key in sources_of(name, field)}
    for key in shown.keys() & relations.keys():
        inner = model_in(shown[key].annotation)
        target = relations[key].target
        deeper: list[Any] = [] if inner is None else [*_loads(inner, target, permit)]
        seen = getattr(model, key).and_(*read_facts(target).visible(), *_reach(relations[key], permit))
        yield selectinload(seen).options(*deeper, raiseload("*"))


class _Related(NamedTuple):
    """A relation that a schema shows: under which key, whether as a list, and what is shown of it in turn."""

    key: str
    to_many: bool
    inner: Sequence[_Related]


def _related(schema: type[BaseModel], model: type[DeclarativeBase]) -> Iterator[_Related]:
    relations = read_facts(model).relations
    shown = {key: field for name, field in schema.model_fields.items() for key in sources_of(name, field)}
    for key, wire_key in wire_keys(schema):
        if key in relations:
            inner = model_in(shown[key].annotation)
            below = [] if inner is None else list(_related(inner, relations[key].target))
            yield _Related(wire_key, relations[key].to_many, below)


def _cut(shown: Any, related: Sequence[_Related]) -> None:
    """Leave of each list of related rows, wherever it stands, what a statement of the compiled way would give."""
    for relation in related if isinstance(shown, dict) else ():
        found = shown.get(relation.key)
        if not isinstance(found, list):
            _cut(found, relation.inner)
        elif relation.to_many:
            del found[MAX_CHILDREN:]
            for one in found:
                _cut(one, relation.inner)


def _reach(relation: RelationFacts, permit: Permit | None) -> Iterator[sa.ColumnElement[bool]]:
    """Give the condition on which a related row is in reach, its value put in: a loader's statement binds no other."""
    if permit is not None:
        for condition in access_to(relation.target, "read", permit.access.standing).by(relation).reach():
            yield replacement_traverse(condition, {}, partial(_valued, permit.bound))


def _valued(bound: Mapping[str, object], element: Any, **_: Any) -> sa.BindParameter[Any] | None:
    if isinstance(element, sa.BindParameter) and element.key in bound:
        return sa.bindparam(None, bound[element.key], type_=element.type, unique=True)
    return None
