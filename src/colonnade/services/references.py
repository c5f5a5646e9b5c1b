"""Which field of a change refers to no row, where the database does not say it, or to one that is deleted softly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import Fault, ForeignKeyError
from colonnade.database.database import Database
from colonnade.models.facts import TableFacts
from colonnade.query.parents import named, needed_parents, parents_of


async def located(
    database: Database,
    facts: TableFacts,
    error: ForeignKeyError,
    values: Mapping[str, object] | None,
    session: AsyncSession | None,
) -> ForeignKeyError:
    """Name the field of a broken reference: SQLite tells no name of a foreign key.

    Args:
        database: where.
        facts: the table.
        error: what the database said.
        values: of the change, by attribute; None for a deletion, whose row others refer to.
        session: whose transaction is still open, if one is; another one might wait for it.
    """
    if values is None:
        return ForeignKeyError("Other rows still refer to this one; delete or change them first.")
    if error.faults:
        return error
    async with database.session(read_only=True) if session is None else nullcontext(session) as reading:
        faults = [
            Fault("reference_missing", "No such row.", pointer=f"/{key}")
            for key, value in values.items()
            if value is not None and key in facts.columns and await _dangles(reading, facts, key, value)
        ]
    if not faults:
        return error
    named = " and ".join(f"'{(fault.pointer or '')[1:]}'" for fault in faults)
    return ForeignKeyError(f"There is no row that {named} refers to.", faults=faults)


async def hold_parents(session: AsyncSession, facts: TableFacts, values: Mapping[str, object]) -> None:
    """Lock the rows that a change names until its end, and see that none of them is deleted softly.

    Args:
        session: of the change.
        facts: the table.
        values: that it is going to store, by attribute.

    Raises:
        ForeignKeyError: CLN411, one is deleted, or not there.
    """
    for key, parent in named(facts, values):
        value = sa.literal(values[key], facts.columns[key].column.type)
        if values[key] is not None and await session.scalar(parent.held(value, f"parent_{key}")) is None:
            fault = Fault("reference_missing", "No such row.", pointer=f"/{key}")
            raise ForeignKeyError(f"There is no row that '{key}' refers to.", faults=[fault])


async def hold_all_parents(session: AsyncSession, facts: TableFacts, items: Sequence[Mapping[str, object]]) -> None:
    """Do the same for many changes by one statement for each foreign key; which of them it was is not told.

    Raises:
        ForeignKeyError: CLN411.
    """
    for key, parent in parents_of(facts.model).items():
        values = {item[key] for item in items if item.get(key) is not None}
        # In one order, so that two that lock the same rows do not wait for each other.
        found = (
            sa.select(parent.column).where(parent.column.in_(values), *parent.facts.visible()).order_by(parent.column)
        )
        held = await session.scalars(found.with_for_update(read=True, key_share=True)) if values else ()
        if len(list(held)) != len(values):
            raise ForeignKeyError(f"There is no row that '{key}' refers to.")


async def named_by(database: Database, facts: TableFacts, id: object) -> Mapping[str, object]:
    """Give, by attribute, what a stored row names of the parents that it needs; nothing where it is not there."""
    columns = [facts.columns[key].column.label(key) for key in needed_parents(facts.model)]
    if not columns:
        return {}
    async with database.session(read_only=True) as session:
        found = await session.execute(sa.select(*columns).where(facts.identity.column == id))
        return dict(found.mappings().first() or {})


async def _dangles(session: AsyncSession, facts: TableFacts, key: str, value: object) -> bool:
    parent = parents_of(facts.model).get(key)
    if parent is not None:
        there = sa.select(parent.column).where(parent.column == value, *parent.facts.visible())
        return await session.scalar(there) is None
    for reference in facts.columns[key].column.foreign_keys:
        if await session.scalar(sa.select(reference.column).where(reference.column == value)) is None:
            return True
    return False
