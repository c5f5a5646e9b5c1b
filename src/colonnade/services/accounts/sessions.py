"""Sessions: one for each login, one row each. What ends a session removes its row, and every token of it with that.

A session's refresh tokens are a family: each is good for one use and gives the next. Whoever uses one a second time has it
from somebody else, or somebody else has it from him, so that the whole session ends (RFC 9700 §4.14.2).
"""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ProblemError, UnauthenticatedError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.security.opaque import new_name, new_refresh_token, read_refresh_token, refresh_text
from colonnade.security.tokens import LIFETIME, AccessTokens
from colonnade.services.accounts.blueprint import Account, AccountBlueprint

IDLE = timedelta(days=7)
LONGEST = timedelta(days=30)
_PURGE_EVERY = 100  # logins, about


class Issued(NamedTuple):
    """The tokens of a session, as a client gets them.

    Attributes:
        access: sent with every request.
        refresh: good for one use.
        expires_in: seconds that the access token holds.
    """

    access: str
    refresh: str
    expires_in: int = LIFETIME

    def __repr__(self) -> str:
        return "Issued(...)"


class Running(NamedTuple):
    """A session that runs: its name, whose it is, and since when."""

    id: str
    account_id: Any
    name: str
    created_at: datetime
    used_at: datetime


class Sessions:
    """Begins, continues and ends sessions.

    Args:
        accounts: whose.
        tokens: issues their access tokens.
    """

    def __init__(self, accounts: AccountBlueprint, tokens: AccessTokens) -> None:
        self._accounts = accounts
        self._table = accounts.tables.sessions
        self._tokens = tokens

    async def begin(self, session: AsyncSession, account: Account, at_first: timedelta | None = None) -> Issued:
        """Begin a session, in the caller's transaction: one INSERT.

        Args:
            session: of the transaction.
            account: whose.
            at_first: how long the first refresh token holds; as long as any when None.
        """
        now, token = utc_now(), new_refresh_token(new_name())
        row = {
            "id": token.name,
            "account_id": account.id,
            "token_version": account.token_version,
            "refresh_hash": token.hash,
            "created_at": now,
            "used_at": now,
            "expires_at": now + (at_first or IDLE),
        }
        await session.execute(sa.insert(self._table).values(row))
        return Issued(self._tokens.issue(account.id, token.name), refresh_text(token))

    async def refresh(self, database: Database, text: str) -> Issued:
        """Take a refresh token and give the next one, with a new access token.

        Of several at once with the same token one is the first; the others end the session.

        Raises:
            UnauthenticatedError: CLN300, it is none of ours, has expired, was used before, or the account may not sign in.
        """
        issued = await database.retry(lambda: self._rotate(database, text))
        if issued is None:
            raise UnauthenticatedError(
                "The refresh token does not hold any longer; sign in again.", error="invalid_token"
            )
        return issued

    async def _rotate(self, database: Database, text: str) -> Issued | None:
        token, now, table = read_refresh_token(text), utc_now(), self._table
        if token is None:
            return None
        its = table.c.id == token.name
        async with database.unit_of_work() as unit:
            row = (await unit.session.execute(sa.select(table).where(its).with_for_update())).one_or_none()
            if row is None:
                return None
            if row.expires_at <= now or not token.fits(row.refresh_hash):
                await unit.session.execute(sa.delete(table).where(its))
                await unit.commit()
                return None
            account = await self._accounts.find_by_id(unit.session, row.account_id)
            if account is None or not account.is_active or account.token_version != row.token_version:
                return None
            following = new_refresh_token(token.name)
            changed = {
                "refresh_hash": following.hash,
                "used_at": now,
                "expires_at": _expiry(row.created_at, now),
            }
            await unit.session.execute(sa.update(table).where(its).values(changed))
            await unit.commit()
        return Issued(self._tokens.issue(account.id, token.name), refresh_text(following))

    async def running(self, database: Database, most: int = 200) -> list[Running]:
        """List the sessions that run, the one that was renewed last first; one statement.

        Args:
            database: of the accounts.
            most: how many.
        """
        table, facts = self._table, self._accounts.facts
        name = self._accounts.column(self._accounts.login[0])
        columns = (table.c.id, table.c.account_id, name, table.c.created_at, table.c.used_at)
        alive = (table.c.expires_at > utc_now(), table.c.account_id == facts.identity.column)
        chosen = sa.select(*columns).where(*alive).order_by(table.c.used_at.desc(), table.c.id).limit(most)
        async with database.session(read_only=True) as session:
            return [Running(*row) for row in await session.execute(chosen)]

    async def end(self, database: Database, name: str | None, refresh_token: str | None) -> None:
        """End a session by its name, and that of a refresh token; one that is over is no error (RFC 7009 §2.2)."""
        token = None if refresh_token is None else read_refresh_token(refresh_token)
        table, conditions = self._table, []
        if name is not None:
            conditions.append(table.c.id == name)
        if token is not None:
            conditions.append(sa.and_(table.c.id == token.name, table.c.refresh_hash == token.hash))
        if not conditions:
            return
        async with database.unit_of_work() as unit:
            await unit.session.execute(sa.delete(table).where(sa.or_(*conditions)))
            await unit.commit()

    async def end_all(self, database: Database, id: object) -> None:
        """End every session of an account and revoke its API keys; none that is made at this moment outlives this."""
        async with database.unit_of_work() as unit:
            await self.end_all_in(unit.session, id)
            await unit.commit()

    async def end_all_in(self, session: AsyncSession, id: object) -> None:
        """Do the same in the caller's transaction: three statements.

        Whoever had somebody's session for a minute may have made himself a key in it, and would be there still.
        """
        identity, version = self._accounts.facts.identity.column, self._accounts.column("token_version")
        raised = sa.update(self._accounts.facts.table).where(identity == id).values({version: version + 1})
        await session.execute(raised)
        # The sessions before the keys: a key that is being made holds its session's row, and is stored when this goes on.
        for table in (self._table, self._accounts.tables.api_keys):
            await session.execute(sa.delete(table).where(table.c.account_id == id))

    async def purge_at_times(self, database: Database) -> None:
        """Remove what has expired, about once in a hundred calls."""
        if random.random() < 1 / _PURGE_EVERY:  # noqa: S311  # no secret
            with suppress(ProblemError):  # the next one will
                await self.purge(database)

    async def purge(self, database: Database) -> None:
        """Remove the sessions that have expired, and the failures that nobody counts any longer."""
        failures, now = self._accounts.tables.failures, utc_now()
        async with database.unit_of_work() as unit:
            await unit.session.execute(sa.delete(self._table).where(self._table.c.expires_at <= now))
            await unit.session.execute(sa.delete(failures).where(failures.c.updated_at <= now - timedelta(days=1)))
            await unit.commit()


def _expiry(created_at: datetime, now: datetime) -> datetime:
    return min(now + IDLE, created_at + LONGEST)
