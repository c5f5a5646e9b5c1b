"""Signing in with a name and a password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from colonnade.core.errors import UnauthenticatedError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.security.passwords import check_password
from colonnade.services.accounts.attempts import Attempt, Attempts
from colonnade.services.accounts.blueprint import Account, AccountBlueprint
from colonnade.services.accounts.sessions import Issued, Sessions


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person signs in with.

    Attributes:
        name: what the account is called, e.g. its e-mail address.
        password: in clear.
        address: where the request comes from, an address or a network; empty where nobody knows it.
    """

    name: str
    password: SecretStr
    address: str


class SignIn:
    """Signs accounts in.

    Args:
        accounts: who there is.
        sessions: begins theirs.
        attempts: counts those that fail.
    """

    def __init__(self, accounts: AccountBlueprint, sessions: Sessions, attempts: Attempts) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._attempts = attempts

    async def by_password(self, database: Database, credentials: Credentials) -> Issued:
        """Begin a session for whoever knows the password.

        An account that is not there, one that is not active and a wrong password are refused in the same words, after the
        same work.

        Raises:
            UnauthenticatedError: CLN300, one of the three.
            RateLimitedError: CLN310, there were too many failures, of this account or from this address; the right password
                is refused as well, since the answer would tell that it is.
        """
        async with database.session(read_only=True) as session:
            account = await self._accounts.find_by_login(session, credentials.name)
            attempt = self._attempts.attempt(credentials.name, account and account.id, credentials.address)
            await self._attempts.require_room(session, attempt)
        password = credentials.password.get_secret_value()
        checked = await check_password(password, None if account is None else account.hashed_password)
        if account is not None and checked.right and account.is_active:
            issued = await self._begin(database, account, attempt, checked.rehashed)
            if issued is not None:
                await self._sessions.purge_at_times(database)
                return issued
        await self._attempts.count(database, attempt)
        raise UnauthenticatedError("There is no account of this name with this password.")

    async def _begin(
        self, database: Database, account: Account, attempt: Attempt, rehashed: str | None
    ) -> Issued | None:
        """Begin a session, unless the password was changed or the account deactivated while it was being checked."""
        values: dict[str, Any] = {"last_login_at": utc_now()}
        if rehashed is not None:
            values["hashed_password"] = rehashed

        async def once() -> Issued | None:
            async with database.unit_of_work() as unit:
                await self._attempts.forget(unit.session, attempt)
                if not await self._accounts.change(unit.session, account, **values):
                    return None
                issued = await self._sessions.begin(unit.session, account)
                await unit.commit()
            return issued

        return await database.retry(once)
