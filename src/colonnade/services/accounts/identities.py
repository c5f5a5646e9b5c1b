"""Signing in by an outside identity: whose account it is, found by issuer and subject and by nothing else.

An e-mail address joins the two once, and only where both sides have verified it: whoever registers somebody's address here
first must not be found in his account when he comes by the provider, nor the other way round.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ConflictError, ForbiddenError, UnauthenticatedError, UniqueError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.security.openid import OutsideIdentity
from colonnade.security.passwords import UNUSABLE
from colonnade.services.accounts.blueprint import Account, AccountBlueprint
from colonnade.services.accounts.sessions import Issued, Sessions

HANDED_OVER = timedelta(minutes=1)
"""How long a refresh token holds that a browser carries to a page in its address; the page has it exchanged."""


class Identities:
    """Signs in who comes from a provider.

    Args:
        accounts: who there is.
        sessions: begins theirs.
    """

    def __init__(self, accounts: AccountBlueprint, sessions: Sessions) -> None:
        self._accounts = accounts
        self._table = accounts.tables.identities
        self._sessions = sessions

    async def sign_in(self, database: Database, identity: OutsideIdentity, *, handed_over: bool) -> Issued:
        """Begin a session of the identity's account; a new one is made for who has none.

        Args:
            database: of the accounts.
            identity: as the provider told it.
            handed_over: the refresh token goes on in an address, and holds for a minute only.

        Raises:
            UnauthenticatedError: CLN300, the account is not active.
            ForbiddenError: CLN301, nobody has an account for this identity, and its provider vouches for no address.
            ConflictError: CLN412, an account has the address, and has not verified it.
        """
        try:
            return await database.retry(lambda: self._once(database, identity, handed_over))
        except UniqueError:  # the same person, twice at once
            return await database.retry(lambda: self._once(database, identity, handed_over))

    async def _once(self, database: Database, identity: OutsideIdentity, handed_over: bool) -> Issued:
        async with database.unit_of_work() as unit:
            account = await self._known(unit.session, identity) or await self._joined(unit.session, identity)
            if not account.is_active or not await self._accounts.change(unit.session, account, last_login_at=utc_now()):
                raise UnauthenticatedError("This account can't sign in.")
            issued = await self._sessions.begin(unit.session, account, HANDED_OVER if handed_over else None)
            await unit.commit()
        return issued

    async def _known(self, session: AsyncSession, identity: OutsideIdentity) -> Account | None:
        table = self._table
        chosen = sa.select(table).where(table.c.issuer == identity.issuer, table.c.subject == identity.subject)
        row = (await session.execute(chosen)).one_or_none()
        if row is None:
            return None
        account = await self._accounts.find_by_id(session, row.account_id)
        # It may be deleted softly; and a database that disregards case has found somebody else.
        if account is None or (row.issuer, row.subject) != identity[:2]:
            raise UnauthenticatedError("This account can't sign in.")
        return account

    async def _joined(self, session: AsyncSession, identity: OutsideIdentity) -> Account:
        if identity.email is None:
            raise ForbiddenError("The identity provider vouches for no e-mail address; an account needs one.")
        account = await self._accounts.find(
            session, self._accounts.column(self._accounts.email or "") == identity.email
        )
        if account is None:
            values = {"hashed_password": UNUSABLE, "email_verified_at": utc_now()}
            id = await self._accounts.create(session, identity.email, values)
            account = await self._accounts.find_by_id(session, id)
            assert account is not None  # it was just made
        elif account.email_verified_at is None:
            raise ConflictError("There is an account of this address; sign in to it and verify the address first.")
        row = {
            "account_id": account.id,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "created_at": utc_now(),
        }
        await session.execute(sa.insert(self._table).values(row))
        return account
