"""API keys: what machines sign in with. Shown once, stored as a hash, gone when they are revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from colonnade.core.errors import ConflictError, Fault, InvalidBodyError, NotFoundError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
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
        self._tables = accounts.facts.table.metadata.tables

    async def create(
        self, database: Database, account_id: object, name: str, scopes: Sequence[str], expires_at: datetime | None
    ) -> tuple[ApiKey, str]:
        """Make a key.

        Args:
            database: of the accounts.
            account_id: whose it is; the key can do what the account can, within the scopes.
            name: for a person to tell it by.
            scopes: `<table>:read` or `<table>:write` each.
            expires_at: when it ends; None for never.

        Returns:
            The key as its account sees it, and its text, which is nowhere else.

        Raises:
            InvalidBodyError: CLN201, a scope is about no table, or the key would be over already.
            ConflictError: CLN412, the account has as many keys as it may have.
        """
        now, key = utc_now(), new_api_key()
        self._check(scopes, expires_at, now)
        row = {
            "account_id": account_id,
            "name": name,
            "prefix": key.name,
            "key_hash": key.hash,
            "scopes": " ".join(dict.fromkeys(scopes)),
            "created_at": now,
            "expires_at": expires_at,
            "last_used_at": None,
        }
        async with database.unit_of_work() as unit:
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
