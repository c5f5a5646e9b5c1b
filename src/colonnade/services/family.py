"""What becomes of a row's children when it is deleted softly, by the rule that their foreign key declares.

The children go in the parent's own transaction and at its own time, by which restoring the parent knows them again: one that
was deleted by itself, earlier or later, stays deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import DeclarationError, ForeignKeyError
from colonnade.models.clock import utc_now
from colonnade.models.facts import ColumnFacts, TableFacts, read_facts
from colonnade.models.mixins import Rule
from colonnade.query.parents import needed_parents
from colonnade.services.history import History
from colonnade.services.hooks import Change
from colonnade.services.references import hold_all_parents

MAX_DEPTH = 10
"""Generations that a deletion goes down; more, or a table below itself, is a mistake in the models."""


@dataclass(frozen=True, slots=True)
class Child:
    """A table whose rows have something to say when their parent is deleted: its foreign key, and the rule."""

    facts: TableFacts
    link: ColumnFacts
    rule: Rule


@cache
def children_of(model: type[DeclarativeBase]) -> tuple[Child, ...]:
    """Find the tables that cascade from a model, or refuse its deletion.

    Raises:
        DeclarationError: a table that should cascade has no soft deletion itself.
    """
    table = read_facts(model).table
    found = [child for mapper in model.registry.mappers for child in _children_in(mapper.class_, table)]
    for child in found:
        if child.rule == "cascade" and (child.facts.deleted is None or child.facts.table is table):
            raise DeclarationError(
                f"{child.facts.model.__name__}.{child.link.key}: to cascade, the class needs the mixin SoftDelete, and "
                "another table than its parent's"
            )
    return tuple(sorted(found, key=lambda child: (child.facts.table.name, child.link.key)))


def _children_in(model: type[DeclarativeBase], parent: sa.Table) -> Iterator[Child]:
    mapper = sa.inspect(model)
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        rule: Rule = column.info.get("when_parent_deleted", "keep")
        if rule != "keep" and any(key.column.table is parent for key in column.foreign_keys):
            facts = read_facts(model)
            yield Child(facts, facts.columns[attribute.key], rule)


async def refuse_if_needed(
    session: AsyncSession, model: type[DeclarativeBase], chosen: sa.Select[Any], depth: int = 0
) -> None:
    """Look for children, at any depth, that do not let their parent go.

    Those that are going to go along are locked on the way, as the parents are already: nobody gives them children meanwhile.

    Args:
        session: of the change.
        model: the parents'.
        chosen: selects their ids.
        depth: how far down they are.

    Raises:
        ForeignKeyError: CLN411, there is one.
    """
    _check_depth(model, depth)
    for child in children_of(model):
        found = sa.select(child.facts.identity.column).where(child.link.column.in_(chosen), *child.facts.visible())
        if child.rule == "cascade":
            if children_of(child.facts.model):
                await session.execute(found.with_for_update())
            await refuse_if_needed(session, child.facts.model, found, depth + 1)
        # MariaDB would look at the rows as they were when its transaction first read, unless it locks what it finds.
        elif (await session.execute(found.limit(1).with_for_update(read=True))).first() is not None:
            raise ForeignKeyError("Other rows still refer to this one; delete or change them first.")


async def delete_together(change: Change, model: type[DeclarativeBase], ids: Sequence[object]) -> int:
    """Delete many rows softly, with what goes along: a few statements, however many rows there are.

    Args:
        change: one of theirs; its transaction is open.
        model: the rows'.
        ids: of them.

    Returns:
        How many of them there were to delete; none of the others is touched.

    Raises:
        ForeignKeyError: CLN411, a child of one does not let it go.
    """
    facts, session, now = read_facts(model), change.session, utc_now()
    chosen = sa.select(facts.identity.column).where(facts.identity.column.in_(ids))
    alive = (await session.scalars(chosen.where(*facts.visible()).with_for_update())).all()
    if len(alive) == len(ids):
        await refuse_if_needed(session, model, chosen)
        hidden = _stored(facts, facts.hidden(now))
        await session.execute(sa.update(facts.table).where(facts.identity.column.in_(ids)).values(hidden))
        await delete_below(change, model, chosen, now)
    return len(alive)


async def delete_below(change: Change, model: type[DeclarativeBase], chosen: sa.Select[Any], now: datetime) -> None:
    """Delete softly what cascades from rows that were just deleted so.

    Args:
        change: of the parents; its transaction is open.
        model: the parents'.
        chosen: selects their ids.
        now: the time of their deletion.
    """
    for child in _cascading(model):
        facts, below = child.facts, child.link.column.in_(chosen)
        hide = sa.update(facts.table).where(below, *facts.visible()).values(_stored(facts, facts.hidden(now)))
        await change.session.execute(hide)
        gone = (below, *_gone(facts, now))
        await _record(change, facts, gone)
        await delete_below(change, facts.model, sa.select(facts.identity.column).where(*gone), now)


async def restore_below(change: Change, model: type[DeclarativeBase], chosen: sa.Select[Any], then: datetime) -> None:
    """Bring back what was deleted together with rows, the lowest first.

    Args:
        change: of the parents; its transaction is open.
        model: the parents'.
        chosen: selects their ids.
        then: the time of their deletion.
    """
    for child in _cascading(model):
        facts = child.facts
        gone = (child.link.column.in_(chosen), *_gone(facts, then))
        await restore_below(change, facts.model, sa.select(facts.identity.column).where(*gone), then)
        await _record(change, facts, gone)  # afterwards nothing tells them from the others
        await change.session.execute(sa.update(facts.table).where(*gone).values(_stored(facts, facts.restored())))


async def _record(change: Change, facts: TableFacts, gone: Sequence[sa.ColumnElement[bool]]) -> None:
    """Record that rows went, or are about to come back, with their parent, as long as they are found among the deleted."""
    history = History(facts)
    if not history.is_kept:
        return
    identity = facts.identity.column
    version: Any = sa.null() if facts.version is None else facts.version.column
    if change.action == "restore" and facts.version is not None:
        version = facts.version.column + 1
    rows = await change.session.execute(sa.select(identity, version).where(*gone).order_by(identity))
    await history.record_family([(id, after) for id, after in rows], change)


async def hold_others_below(session: AsyncSession, model: type[DeclarativeBase], chosen: sa.Select[Any]) -> None:
    """Hold the further parents of rows that came back with theirs: none that they need is deleted.

    Asked once all are back, since one of them may be another's parent.

    Args:
        session: of the change.
        model: the parents'.
        chosen: selects their ids.

    Raises:
        ForeignKeyError: CLN411, one is deleted.
    """
    for child in _cascading(model):
        facts, below = child.facts, (child.link.column.in_(chosen), *child.facts.visible())
        others = [facts.columns[key].column.label(key) for key in needed_parents(facts.model) if key != child.link.key]
        if others:
            rows = await session.execute(sa.select(*others).where(*below).distinct())
            await hold_all_parents(session, facts, [dict(row) for row in rows.mappings()])
        await hold_others_below(session, facts.model, sa.select(facts.identity.column).where(*below))


def _cascading(model: type[DeclarativeBase]) -> list[Child]:
    return [child for child in children_of(model) if child.rule == "cascade"]


def _gone(facts: TableFacts, when: datetime) -> list[sa.ColumnElement[bool]]:
    return [*facts.visible("only"), facts.columns["deleted_at"].column == when]


def _stored(facts: TableFacts, values: Mapping[str, object]) -> dict[Any, Any]:
    stored: dict[Any, Any] = {facts.columns[key].column: value for key, value in values.items()}
    if facts.version is not None:
        stored[facts.version.column] = facts.version.column + 1
    return stored


def _check_depth(model: type[DeclarativeBase], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DeclarationError(f"{model.__name__}: deletions cascade in a circle, or more than {MAX_DEPTH} tables deep")
