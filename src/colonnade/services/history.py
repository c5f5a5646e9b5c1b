"""Recording what changes: a row is read under its lock before a change and again after it, and what differs is stored.

All of it in the change's own transaction. The difference is taken of what the database holds, not of what was sent: what a
hook, a default or a trigger makes of a change is in it too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import time
from typing import Any, TypeAlias

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import DeclarationError
from colonnade.core.json import dump_json
from colonnade.core.trace import get_request_id
from colonnade.models.clock import utc_now
from colonnade.models.facts import ColumnFacts, Kind, TableFacts, read_facts
from colonnade.models.history import HISTORY, MAX_KEY, history_table, recorded_tables
from colonnade.models.mixins import SoftDelete
from colonnade.policy.principal import Principal
from colonnade.services.hooks import Change

Values: TypeAlias = Mapping[str, Any]
Snapshot: TypeAlias = Mapping[object, Values]
"""Rows by id, each by attribute."""

_SOFT = frozenset({"is_deleted", "deleted_at", "alive"})


def keep_history(facts: TableFacts) -> None:
    """Have all changes of a table recorded from here on, whichever resource they come from.

    Raises:
        DeclarationError: its keys are too long, or the application has a table `history` of its own.
    """
    identity = facts.identity
    if identity.kind is Kind.TEXT and (identity.max_length is None or identity.max_length > MAX_KEY):
        raise DeclarationError(
            f"{facts.model.__name__}: a row with a history has a key of at most {MAX_KEY} characters"
        )
    metadata = facts.table.metadata
    history_table(metadata)
    recorded_tables(metadata).add(facts.table.name)


class History:
    """Records the changes of one table's rows, where that is wanted.

    Args:
        facts: the table.
    """

    def __init__(self, facts: TableFacts) -> None:
        self._facts = facts
        self._table = facts.table.name
        self._recorded = recorded_tables(facts.table.metadata)
        self._fields = {key: column for key, column in facts.columns.items() if not _keeps_books(column, facts)}

    @property
    def is_kept(self) -> bool:
        """Whether the changes of this table are recorded."""
        return self._table in self._recorded

    async def look(self, session: AsyncSession, changes: Sequence[Change]) -> Snapshot:
        """Read, and lock, the rows that are going to be changed; none where no history is kept."""
        if not self.is_kept:
            return {}
        ids = [change.id for change in changes if change.action != "create"]
        return await self.rows(session, ids, lock=True) if ids else {}

    async def record(self, session: AsyncSession, changes: Sequence[Change], before: Snapshot) -> None:
        """Record what has become of rows, if anything has.

        Args:
            session: of the transaction of the changes.
            changes: made and flushed, and not committed; their ids are known.
            before: what `look` gave.
        """
        if not self.is_kept or not changes:
            return
        after = await self.rows(session, [change.id for change in changes])
        purged = [str(change.id) for change in changes if is_purge(change) and change.id in before]
        if purged:
            await self._forget(session, purged)
        entries = [
            self.entry(change, before.get(change.id), after.get(change.id))
            for change in changes
            if before.get(change.id) != after.get(change.id)
        ]
        await self._store(session, entries)

    async def record_family(self, found: Sequence[tuple[object, int | None]], by: Change) -> None:
        """Record that rows went, or came back, together with their parent.

        Args:
            found: their ids, and their versions afterwards.
            by: the parent's change; its transaction is open.
        """
        await self._store(by.session, [_row(by, self._table, id, version, {}) for id, version in found])

    async def rows(self, session: AsyncSession, ids: Sequence[object], *, lock: bool = False) -> Snapshot:
        """Read rows whole, by their ids, those that are deleted softly too; what is not there is left out."""
        identity = self._facts.identity
        columns = [column.column.label(key) for key, column in self._facts.columns.items()]
        found = sa.select(*columns).where(identity.column.in_(ids)).order_by(identity.column)
        if lock:
            # As strong as a change's own lock: a child that names the row need not wait.
            found = found.with_for_update(key_share=True)
        rows = (await session.execute(found)).mappings()
        return {row[identity.key]: dict(row) for row in rows}

    def entry(self, change: Change, before: Values | None, after: Values | None) -> dict[str, Any]:
        """Make the entry of a change, its id known.

        Args:
            change: of a row.
            before: the row as it was; None where there was none.
            after: the row as it is; None where there is none any more.
        """
        version = None if self._facts.version is None else (after or before or {}).get(self._facts.version.key)
        differences = {} if is_purge(change) else self._differences(before or {}, after or {})
        return _row(change, self._table, change.id, version, differences)

    def _differences(self, before: Values, after: Values) -> dict[str, Any]:
        """Give, by field, what it held before and after; of a secret, and of bytes, only that it differs."""
        return {
            key: (_wire(before.get(key), column), _wire(after.get(key), column)) if _is_told(column) else None
            for key, column in self._fields.items()
            if before.get(key) != after.get(key)
        }

    @staticmethod
    async def _store(session: AsyncSession, entries: Sequence[dict[str, Any]]) -> None:
        if entries:
            await session.execute(sa.insert(HISTORY), entries)

    async def _forget(self, session: AsyncSession, keys: Sequence[str]) -> None:
        """Take away what rows held that are removed for good; who did what, and when, remains."""
        theirs = (HISTORY.c.table_name == self._table, HISTORY.c.row_key.in_(keys))
        await session.execute(sa.update(HISTORY).where(*theirs).values(changes="{}"))


@asynccontextmanager
async def record_changes(change: Change, model: type[DeclarativeBase], ids: Sequence[object]) -> AsyncIterator[None]:
    """Record what a hook does to other rows inside the block, by statements of its own, as updates by the same principal.

    Does nothing where no resource keeps a history of the model.

    Args:
        change: that the hook is called for; its transaction is open.
        model: of the other rows.
        ids: of them; they are locked in the order of their ids.
    """
    history = History(read_facts(model))
    updates = [replace(change, action="update", id=id, permanent=False) for id in ids]
    before = await history.look(change.session, updates)
    yield
    if history.is_kept:
        await change.session.flush()
    await history.record(change.session, updates, before)


def _row(change: Change, table: str, id: object, version: int | None, changes: Values) -> dict[str, Any]:
    return {
        "table_name": table,
        "row_key": str(id),
        "operation": "purge" if is_purge(change) else change.action,
        "changed_at": utc_now(),
        "principal": _key_of(change.principal),
        "request_id": get_request_id(),
        "version": version,
        "changes": dump_json(changes).decode(),
    }


def _key_of(principal: Principal) -> str | None:
    return principal.key[:255] or None


def is_purge(change: Change) -> bool:
    """Tell whether a change removes for good what is otherwise deleted softly."""
    return change.action == "delete" and change.permanent


def _keeps_books(column: ColumnFacts, facts: TableFacts) -> bool:
    """Tell whether a column says of a change what its entry says already: its key, its version, its times."""
    is_soft = issubclass(facts.model, SoftDelete) and column.key in _SOFT
    is_time = column.server_owned and utc_now in (column.default, column.on_update)
    return is_soft or is_time or column is facts.identity or column is facts.version


def _is_told(column: ColumnFacts) -> bool:
    """Tell whether what a column holds may stand in a history; one of a type of the application's own may be encrypted."""
    is_strange = column.kind is Kind.OTHER and isinstance(column.column.type, sa.TypeDecorator)
    return not (column.secret or is_strange or column.python_type is bytes)


def _wire(value: Any, column: ColumnFacts) -> Any:
    """Make of a value what `dump_json` writes as the wire has it."""
    if isinstance(value, time):
        return value.isoformat()  # see `query.wire`
    return to_jsonable_python(value, fallback=str) if column.kind is Kind.OTHER else value
