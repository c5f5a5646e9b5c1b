"""Which field of a change refers to no row, where the database does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import Fault, ForeignKeyError
from colonnade.database.database import Database
from colonnade.models.facts import TableFacts


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


async def _dangles(session: AsyncSession, facts: TableFacts, key: str, value: object) -> bool:
    for reference in facts.columns[key].column.foreign_keys:
        if await session.scalar(sa.select(reference.column).where(reference.column == value)) is None:
            return True
    return False
