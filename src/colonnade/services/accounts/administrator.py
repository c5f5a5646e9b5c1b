"""The first administrator, made when the application starts: somebody has to let the others in."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from colonnade.core.errors import UniqueError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.security.passwords import hash_password
from colonnade.services.accounts.blueprint import AccountBlueprint

ROLE = "admin"

_LOG = logging.getLogger("colonnade.accounts")


async def make_administrator(database: Database, accounts: AccountBlueprint, email: str, password: str) -> bool:
    """Make an administrator's account, unless there is, or was, an account of this address.

    Whatever became of that since, a new password say, stays as it is. Of several workers that start at once one makes it.

    Args:
        database: with its tables; without them nothing is made, and the log says so.
        accounts: the model.
        email: what the account is called at its login.
        password: in clear.

    Returns:
        Whether it was made.
    """
    address = email.strip().casefold()
    named = accounts.column(accounts.email or accounts.login[0])
    try:
        async with database.engine.connect() as connection:
            if await connection.scalar(sa.select(sa.exists().where(named == address))):
                return False
    except SQLAlchemyError:
        _LOG.warning("there is no administrator yet: the tables are missing; migrate, and start again")
        return False
    hashed = await hash_password(password)
    try:
        async with database.unit_of_work() as unit:
            values = {"role": ROLE, "hashed_password": hashed, "email_verified_at": utc_now()}
            await accounts.create(unit.session, address, values)
            await unit.commit()
    except UniqueError:
        return False  # another worker was first
    _LOG.info("made the first administrator")
    return True
