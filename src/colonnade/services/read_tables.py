"""Which tables an answer of a resource is made from: those whose changes make a cached one useless."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import DeclarationError
from colonnade.database.versions import MAX_TABLES
from colonnade.models.facts import read_facts
from colonnade.schemas.projection import read_projection
from colonnade.services.blueprint import Blueprint


def read_tables(blueprint: Blueprint, fields: Iterable[str], more: Iterable[str] = ()) -> tuple[str, ...]:
    """Name the tables behind a resource's answers, with those whose deletion reaches into them by a foreign key.

    Args:
        blueprint: its response and includes are looked through.
        fields: what it is filtered and searched by; `category.name` leads to a further table.
        more: tables that the caller knows of.

    Returns:
        The names, sorted.

    Raises:
        DeclarationError: there are more than `MAX_TABLES`.
    """
    model = blueprint.facts.model
    tables = {blueprint.facts.table, *_shown(blueprint.response, model)}
    for path, schema in blueprint.includes.items():
        tables |= {*_along(model, path), *_shown(schema, _target(model, path))}
    for field in fields:
        tables |= set(_along(model, field.rpartition(".")[0]))
    names = {parent.name for table in tables for parent in (table, *_parents(table))} | set(more)
    if len(names) > MAX_TABLES:
        raise DeclarationError(f"{blueprint.label}: an answer that depends on {len(names)} tables is not worth a cache")
    return tuple(sorted(names))


def _shown(schema: type[BaseModel], model: type[DeclarativeBase]) -> Iterator[sa.Table]:
    projection = read_projection(schema, read_facts(model))
    if projection is None:
        # What a schema computes from can't be seen; its relations are as far as it gets without a query of its own.
        for relation in sa.inspect(model).relationships:
            yield from _along(model, relation.key)
        return
    for nested in projection.nested:
        yield from _along(model, nested.relation.key)
        # Its own schema is a projection: this one would be none otherwise.
        for below in nested.projection.nested:
            yield from _along(model, f"{nested.relation.key}.{below.relation.key}")


def _along(model: type[DeclarativeBase], path: str) -> Iterator[sa.Table]:
    """Give the tables on a way through relations, those in between included."""
    for key in path.split(".") if path else ():
        relation = sa.inspect(model).relationships[key]
        model = _target(model, key)
        yield read_facts(model).table
        if isinstance(relation.secondary, sa.Table):
            yield relation.secondary


def _target(model: type[DeclarativeBase], path: str) -> type[DeclarativeBase]:
    for key in path.split("."):
        model = read_facts(model).relations[key].target
    return model


def _parents(table: sa.Table) -> Iterator[sa.Table]:
    """Give the tables whose rows take rows of this one along when they are deleted, or change their key."""
    for key in table.foreign_keys:
        if key.ondelete is not None or key.onupdate is not None:
            yield key.column.table
