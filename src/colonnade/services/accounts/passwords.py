"""Changing a password, by whoever knows it; every session ends with that, and no API key outlives it."""

from __future__ import annotations

from typing import Any

from colonnade.core.errors import Fault, RuleError, UnauthenticatedError
from colonnade.database.database import Database
from colonnade.security.common_passwords import CommonPasswords
from colonnade.security.passwords import check_password, hash_password
from colonnade.services.accounts.attempts import Attempts
from colonnade.services.accounts.blueprint import Account, AccountBlueprint
from colonnade.services.accounts.sessions import Sessions


class Passwords:
    """Changes passwords.

    Args:
        accounts: whose.
        sessions: ends theirs.
        attempts: counts wrong passwords, as at the login: whoever has somebody's token must not guess them here.
        common: passwords that nobody may choose.
    """

    def __init__(
        self, accounts: AccountBlueprint, sessions: Sessions, attempts: Attempts, common: CommonPasswords
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._attempts = attempts
        self._common = common

    async def change(self, database: Database, id: object, current: str, new: str) -> None:
        """Change the password of a signed-in account; its sessions end, the one that asks included, and its API keys.

        Args:
            database: of the accounts.
            id: of the account.
            current: its password as it is.
            new: what it shall be; the schema has checked its form.

        Raises:
            InvalidBodyError: CLN201, the new password is a common one.
            RuleError: CLN202, the current password is another one.
            RateLimitedError: CLN310, there were too many wrong ones.
            UnauthenticatedError: CLN300, the account was changed or deactivated meanwhile.
        """
        async with database.session(read_only=True) as session:
            account = await self._accounts.find_by_id(session, id)
            attempt = self._attempts.attempt("", id, None)
            await self._attempts.require_room(session, attempt)
        if account is None:
            raise _gone()
        if not (await check_password(current, account.hashed_password)).right:
            await self._attempts.count(database, attempt)
            fault = Fault("wrong_password", "This is not the account's password.", pointer="/current_password")
            raise RuleError("The current password is another one.", faults=[fault])
        if not await self.set(database, account, new):
            raise _gone()

    async def set(self, database: Database, account: Account, new: str, **values: Any) -> bool:
        """Give an account a password, end its sessions, revoke its API keys, and forget its failed logins.

        Args:
            database: of the accounts.
            account: as it was read.
            new: its password.
            **values: other columns, by attribute.

        Returns:
            Whether it was still as it was read; nothing is changed otherwise.

        Raises:
            InvalidBodyError: CLN201, the password is a common one.
        """
        self._common.refuse(new, "/new_password")
        hashed = await hash_password(new)
        attempt = self._attempts.attempt("", account.id, None)

        async def once() -> bool:
            async with database.unit_of_work() as unit:
                if not await self._accounts.change(unit.session, account, hashed_password=hashed, **values):
                    return False
                await self._sessions.end_all_in(unit.session, account.id)
                await self._attempts.clear(unit.session, attempt)
                await unit.commit()
            return True

        return await database.retry(once)


def _gone() -> UnauthenticatedError:
    return UnauthenticatedError("The account has changed meanwhile; sign in again.", error="invalid_token")
