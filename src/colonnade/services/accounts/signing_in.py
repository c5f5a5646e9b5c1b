"""Signing in with a name and a password."""

from __future__ import annotations

from typing import Any

from colonnade.core.errors import UnauthenticatedError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.security.passwords import check_password
from colonnade.services.accounts.blueprint import Account, AccountBlueprint
from colonnade.services.accounts.sessions import Issued, Sessions


class SignIn:
    """Signs accounts in.

    Args:
        accounts: who there is.
        sessions: begins theirs.
    """

    def __init__(self, accounts: AccountBlueprint, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    async def by_password(self, database: Database, name: str, password: str) -> Issued:
        """Begin a session for whoever knows the password.

        An account that is not there, one that is not active and a wrong password are refused in the same words, after the
        same work.

        Args:
            database: of the accounts.
            name: what the person calls the account, e.g. its e-mail address.
            password: in clear.

        Raises:
            UnauthenticatedError: CLN300, one of the three.
        """
        async with database.session(read_only=True) as session:
            account = await self._accounts.find_by_login(session, name)
        checked = await check_password(password, None if account is None else account.hashed_password)
        issued = None
        if account is not None and checked.right and account.is_active:
            known = account
            issued = await database.retry(lambda: self._begin(database, known, checked.rehashed))
        if issued is None:
            raise UnauthenticatedError("There is no account of this name with this password.")
        await self._sessions.purge_at_times(database)
        return issued

    async def _begin(self, database: Database, account: Account, rehashed: str | None) -> Issued | None:
        values: dict[str, Any] = {"last_login_at": utc_now()}
        if rehashed is not None:
            values["hashed_password"] = rehashed
        async with database.unit_of_work() as unit:
            # Whose password was changed, or who was deactivated, while it was being checked does not get in.
            if not await self._accounts.change(unit.session, account, **values):
                return None
            issued = await self._sessions.begin(unit.session, account)
            await unit.commit()
        return issued
