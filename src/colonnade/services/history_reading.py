"""Showing the history of a row to those who may see it, and of each entry what they may see of the row itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.json import dump_json, parse_json
from colonnade.database.database import Database
from colonnade.models.facts import read_facts
from colonnade.models.history import HISTORY, HistoryRow
from colonnade.policy.access import Access, access_to, refusal
from colonnade.policy.audience import standing_of
from colonnade.policy.principal import Principal
from colonnade.query.request import Condition, ReadRequest
from colonnade.schemas.history import StoredEntry
from colonnade.services.blueprint import Blueprint
from colonnade.services.curtain import wire_keys
from colonnade.services.history import History, Values
from colonnade.services.page import Page
from colonnade.services.reading import Reader

Fields = Mapping[str, str]
"""The fields whose changes are shown: attribute -> name on the wire."""

ENTRIES = Reader(Blueprint("history", read_facts(HistoryRow), StoredEntry, StoredEntry, StoredEntry))
"""Reads the entries of all tables; nobody is let at them but by `HistoryReader`."""


class HistoryReader:
    """Reads the histories of one resource's rows.

    Args:
        reader: of the resource.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._facts = reader.facts
        self._history = History(reader.facts)
        self._shown = _wire_names(reader.blueprint)

    async def page(self, database: Database, id: object, request: ReadRequest, principal: Principal) -> Page:
        """Read a part of a row's history: what is in the entries is what the principal sees of the row as it is now.

        Of a row that is not there any more those read the history who may read that of every row.

        Args:
            database: where it is.
            id: of the row.
            request: which part of it, already `within` the row.
            principal: who asks.

        Raises:
            NotFoundError: CLN400, there is no such row and never was, or it is out of reach.
            AccessError: CLN300, CLN301, it may be read, and its history may not.
        """
        async with database.session(read_only=True) as session:
            row = (await self._history.rows(session, [id])).get(id)
            since = await self._beginning(session, id, is_there=row is not None)
        fields = self._fields(id, row, principal)
        if since is None and row is None:
            raise self.reader.missing(id)
        if since is not None and row is not None:
            request = request.within(Condition("id", "gte", (since,)))
        page = await ENTRIES.page(database, request)
        return page._replace(body=_narrowed(page.body, fields))

    def within(self, id: object, request: ReadRequest) -> ReadRequest:
        """Narrow a request for entries to those of one row."""
        own = request.within(Condition("table_name", "eq", (self._facts.table.name,)))
        return own.within(Condition("row_key", "eq", (str(id),)))

    async def _beginning(self, session: AsyncSession, id: object, *, is_there: bool) -> int | None:
        """Find the entry with which the history of a row begins; None for the very first one, or where there is none.

        A key may have been another row's before, which may have been in the reach of others: clients choose some, and SQLite
        gives the ids of its last rows again where a table has no AUTOINCREMENT.
        """
        entry = HISTORY.c
        ends = ("purge",) if self._facts.deleted is not None else ("delete", "purge")
        begins = sa.case((entry.operation == "create", entry.id), (entry.operation.in_(ends), entry.id + 1))
        found = sa.select(sa.func.max(begins if is_there else entry.id)).where(
            entry.table_name == self._facts.table.name, entry.row_key == str(id)
        )
        since: int | None = await session.scalar(found)
        return since

    def _fields(self, id: object, row: Values | None, principal: Principal) -> Fields:
        """Tell which fields a principal sees, if it may see any of this at all."""
        reads, may_read_history = self._accesses(principal)
        if row is None:
            if not (_is_unbounded(reads) and _is_unbounded(may_read_history)):
                raise self.reader.missing(id)
            return {key: name for key, name in self._shown.items() if reads.sees(key) and reads.sees(name)}
        value_of, me = row.__getitem__, principal.id
        if not self._is_read(row, reads, principal):
            raise self.reader.missing(id)
        if not may_read_history.has(value_of, me):
            raise refusal(principal)
        return {
            key: name
            for key, name in self._shown.items()
            if all(_is_seen(one, reads, row, principal) for one in {key, name})
        }

    def _accesses(self, principal: Principal) -> tuple[Access, Access]:
        standing = standing_of(principal)
        reads = access_to(self._facts.model, "read", standing)
        return reads, self.reader.gate.permit("read_history", principal).access

    def _is_read(self, row: Values, reads: Access, principal: Principal) -> bool:
        if not reads.has(row.__getitem__, principal.id):
            return False
        if self._facts.deleted is None or not row[self._facts.deleted.key]:
            return True
        gone = access_to(self._facts.model, "read_deleted", reads.standing).of_deleted or ()
        return any(grant.has(row.__getitem__, principal.id) for grant in gone)


def _wire_names(blueprint: Blueprint) -> Fields:
    """Name what the response shows of a row; a secret, which it shows nobody, is named as well."""
    secrets = {key: key for key, column in blueprint.facts.columns.items() if column.secret}
    return {**secrets, **{key: name for key, name in wire_keys(blueprint.response) if key in blueprint.facts.columns}}


def _is_unbounded(access: Access) -> bool:
    return any(grant.of_all_rows for grant in access.grants)


def _is_seen(key: str, reads: Access, row: Values, principal: Principal) -> bool:
    grants = reads.sight_of(key)
    return grants is None or any(grant.has(row.__getitem__, principal.id) for grant in grants)


def _narrowed(body: bytes, fields: Fields) -> bytes:
    """Leave in each entry the changes of these fields, under their names on the wire."""
    page: Any = parse_json(body)
    for entry in page["history"]:
        if "changes" in entry:
            kept: Any = parse_json(entry["changes"].encode())
            entry["changes"] = {fields[key]: _change(kept[key]) for key in kept if key in fields}
    return dump_json(page)


def _change(kept: list[Any] | None) -> dict[str, Any]:
    return {} if kept is None else {"before": kept[0], "after": kept[1]}
