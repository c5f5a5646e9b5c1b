"""Telling who sends a request: the token's signature, and one keyed read of what its account is at this moment.

Nothing is taken from the token but names: whether the session still runs, whether the account is active and what its role
is stands in the database, so that every worker knows of a change at its very next request.
"""

from __future__ import annotations

import asyncio
import enum
from contextlib import suppress
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from colonnade.core.errors import UnauthenticatedError, UnavailableError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.models.types import UTCDateTime
from colonnade.policy.principal import Principal
from colonnade.query.compile import CompiledStatement, compile_statement
from colonnade.query.wire import key_converter_of
from colonnade.security.opaque import KEY_MARK, Opaque, read_api_key
from colonnade.security.tokens import AccessTokens, Claims, TokenError
from colonnade.services.accounts.blueprint import AccountBlueprint
from colonnade.services.accounts.session_checks import SessionChecks

_MARK = KEY_MARK.encode()
_NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when an API key was used last: not every read shall cost a write."""
_NOTED_WITHIN = 0.5
"""Seconds; no request fails, or waits for long, because a writer holds the database."""


class Authentication:
    """Makes principals of bearer tokens.

    Args:
        accounts: who there is.
        tokens: reads access tokens.
    """

    def __init__(self, accounts: AccountBlueprint, tokens: AccessTokens) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._checks: SessionChecks | None = None
        self._by_key: dict[str, CompiledStatement] = {}
        self._roles: dict[object, str] = {}
        self._noting: set[str] = set()

    async def principal_of(self, database: Database, token: bytes) -> Principal:
        """Tell whose an access token or an API key is; one statement.

        Args:
            database: of the accounts.
            token: what stands behind `Bearer`.

        Raises:
            UnauthenticatedError: CLN300, it does not hold, or not any longer.
        """
        if token.startswith(_MARK):
            return await self._of_key(database, token)
        claims = self.claims_of(token)
        principal = await self.principal_of_session(database, claims.session)
        if principal.id != claims.subject:
            raise _over()
        return principal

    async def principal_of_session(self, database: Database, session: str) -> Principal:
        """Tell who is signed in by a session; one statement, which asks for others' at this moment too.

        Args:
            database: of the accounts.
            session: its name.

        Raises:
            UnauthenticatedError: CLN300, it has ended, or the account may not sign in any longer.
        """
        checks = self._checks
        if checks is None or checks.database is not database:
            checks = self._checks = SessionChecks(database, self._accounts)
        row = await checks.account_of(session)
        if row is None:
            raise _over()
        return Principal(self._account_id(database, row[0]), self._role(database, row[1]))

    def claims_of(self, token: bytes) -> Claims:
        """Read an access token, and ask no database.

        Raises:
            UnauthenticatedError: CLN300.
        """
        try:
            return self._tokens.read(token)
        except TokenError as error:
            raise UnauthenticatedError(str(error), error="invalid_token") from None

    async def _of_key(self, database: Database, token: bytes) -> Principal:
        key = read_api_key(token.decode("latin-1"))
        now = utc_now()
        if key is not None:
            values = {"prefix": key.name, "now": now, "noted": now - _NOTED_EVERY}
            rows = await database.fetch(self._key_statement(database).bind(values))
            if rows and key.fits(rows[0][1]):
                raw, _, role, scopes, stale = rows[0]
                if stale and key.name not in self._noting:
                    await self._note_use(database, key)
                return Principal(self._account_id(database, raw), self._role(database, role), frozenset(scopes.split()))
        raise UnauthenticatedError("The API key does not hold, or not any longer.", error="invalid_token")

    async def _note_use(self, database: Database, key: Opaque) -> None:
        """Note that a key was used; a database that has no time for that is asked again by the key's next request."""
        table = self._accounts.tables.api_keys
        used = sa.update(table).where(table.c.prefix == key.name).values(last_used_at=utc_now())
        self._noting.add(key.name)
        try:
            with suppress(UnavailableError, TimeoutError):
                async with asyncio.timeout(_NOTED_WITHIN), database.unit_of_work() as unit:
                    await unit.session.execute(used)
                    await unit.commit()
        finally:
            self._noting.discard(key.name)

    def _make_key_statement(self) -> sa.Select[Any]:
        facts, keys = self._accounts.facts, self._accounts.tables.api_keys
        identity = facts.identity.column
        noted = sa.bindparam("noted", type_=UTCDateTime())
        stale = sa.or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < noted)
        return sa.select(
            identity, keys.c.key_hash, self._accounts.column("role"), keys.c.scopes, sa.case((stale, 1), else_=0)
        ).where(
            keys.c.prefix == sa.bindparam("prefix", type_=sa.String()),
            sa.or_(keys.c.expires_at.is_(None), keys.c.expires_at > sa.bindparam("now", type_=UTCDateTime())),
            keys.c.account_id == identity,
            self._accounts.column("is_active"),
            *facts.visible(),
        )

    def _key_statement(self, database: Database) -> CompiledStatement:
        found = self._by_key.get(database.driver_name)
        if found is None:
            found = self._by_key[database.driver_name] = compile_statement(self._make_key_statement(), database.dialect)
        return found

    def _account_id(self, database: Database, raw: object) -> object:
        return raw if type(raw) is int else key_converter_of(self._accounts.facts.identity, database.dialect)(raw)

    def _role(self, database: Database, raw: object) -> str:
        """Give a role as policies name it: an enum's value, whatever the column stores of it."""
        found = self._roles.get(raw)
        if found is None:
            role = key_converter_of(self._accounts.facts.columns["role"], database.dialect)(raw)
            found = self._roles[raw] = str(role.value if isinstance(role, enum.Enum) else role)
        return found


def _over() -> UnauthenticatedError:
    return UnauthenticatedError("The access token does not hold any longer; sign in again.", error="invalid_token")
