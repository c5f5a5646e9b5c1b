"""API keys: what machines sign in with. Shown once, stored as a hash, gone when they are revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ConflictError, Fault, InvalidBodyError, NotFoundError, UnauthenticatedError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.schemas.accounts import ApiKeyCreate
from colonnade.security.opaque import api_key_text, new_api_key
from colonnade.services.accounts.blueprint import AccountBlueprint

MAX_KEYS = 50
"""Of one account; its list is shown whole."""


class ApiKey(NamedTuple):
    """A key as its account sees it.

    Attributes:
        prefix: what the key begins with, to tell it by.
        scopes: what it is confined to.
        last_used_at: to the minute; None when it never was.
    """

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeys:
    """Makes, lists and revokes the keys of an account.

    Args:
        accounts: whose.
    """

    def __init__(self, accounts: AccountBlueprint) -> None:
        self._table = accounts.tables.api_keys
        self._sessions = accounts.tables.sessions
        self._tables = accounts.facts.table.metadata.tables

    async def create(self, database: Database, session: str, wanted: ApiKeyCreate) -> tuple[ApiKey, str]:
        """Make a key.

        Args:
            database: of the accounts.
            session: in which its account makes it; the key can do what the account can, within the scopes.
            wanted: its name, its scopes (`<table>:read` or `<table>:write`), and when it ends.

        Returns:
            The key as its account sees it, and its text, which is nowhere else.

        Raises:
            InvalidBodyError: CLN201, a scope is about no table, or the key would be over already.
            UnauthenticatedError: CLN300, the session has ended meanwhile.
            ConflictError: CLN412, the account has as many keys as it may have.
        """
        now, key = utc_now(), new_api_key()
        self._check(wanted.scopes, wanted.expires_at, now)
        row = {
            "name": wanted.name,
            "prefix": key.name,
            "key_hash": key.hash,
            "scopes": " ".join(dict.fromkeys(wanted.scopes)),
            "created_at": now,
            "expires_at": wanted.expires_at,
            "last_used_at": None,
        }
        async with database.unit_of_work() as unit:
            row["account_id"] = account_id = await self._account_of(unit.session, session)
            count = sa.select(sa.func.count()).where(self._table.c.account_id == account_id)
            if (await unit.session.scalar(count) or 0) >= MAX_KEYS:
                raise ConflictError(f"An account has {MAX_KEYS} API keys at most; revoke one first.")
            result: Any = await unit.session.execute(sa.insert(self._table).values(row))
            await unit.commit()
        return _shown({**row, "id": result.inserted_primary_key[0]}), api_key_text(key)

    async def all(self, database: Database, account_id: object) -> list[ApiKey]:
        """List the keys of an account, the oldest first: one statement."""
        chosen = sa.select(self._table).where(self._table.c.account_id == account_id).order_by(self._table.c.id)
        async with database.session(read_only=True) as session:
            return [_shown(row._mapping) for row in await session.execute(chosen.limit(MAX_KEYS))]

    async def revoke(self, database: Database, account_id: object, id: int) -> None:
        """Remove a key; the very next request with it is refused.

        Raises:
            NotFoundError: CLN400, the account has no such key.
        """
        its = sa.delete(self._table).where(self._table.c.id == id, self._table.c.account_id == account_id)
        async with database.unit_of_work() as unit:
            result: Any = await unit.session.execute(its)
            await unit.commit()
        if not result.rowcount:
            raise NotFoundError(f"API key {id} not found.")

    async def _account_of(self, session: AsyncSession, name: str) -> object:
        """Find whose session it is, and hold its row: whoever ends it waits, and finds the key that is being made in it."""
        table = self._sessions
        its = sa.select(table.c.account_id).where(table.c.id == name).with_for_update()
        row = (await session.execute(its)).one_or_none()
        if row is None:
            raise UnauthenticatedError("The session has ended; sign in again.", error="invalid_token")
        return row[0]

    def _check(self, scopes: Sequence[str], expires_at: datetime | None, now: datetime) -> None:
        faults = [
            Fault("scope_unknown", "There is no such scope.", pointer=f"/scopes/{index}")
            for index, scope in enumerate(scopes)
            if scope.partition(":")[0] not in self._tables
        ]
        if expires_at is not None and expires_at <= now:
            faults.append(Fault("in_the_past", "A key ends in the future.", pointer="/expires_at"))
        if faults:
            raise InvalidBodyError("The body does not fit.", faults=faults)


def _shown(row: Any) -> ApiKey:
    return ApiKey(
        row["id"],
        row["name"],
        f"cln_{row['prefix']}",
        tuple(row["scopes"].split()),
        row["created_at"],
        row["expires_at"],
        row["last_used_at"],
    )
