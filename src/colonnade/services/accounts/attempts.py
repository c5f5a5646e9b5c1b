"""Counting failed logins in the database: for all workers together, and whatever becomes of a Redis.

A password is checked before the failure is counted, but its verdict is given away after that only: however many tries come
at once, no more of them are told right or wrong than the limit allows. The others hear that they have to wait.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import RateLimitedError, UniqueError
from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.security.login_limit import Failures, LoginLimit

PER_ADDRESS = 4
"""How many times as often an address may fail as an account."""

_TRIES = 5


class Attempt(NamedTuple):
    """Whose failure one try would be: digests, so that the table tells neither names nor addresses."""

    account: str
    address: str | None


class Attempts:
    """Counts failed logins.

    Args:
        table: where.
        limit: of one account; None for none.
        key: of the digests.
    """

    def __init__(self, table: sa.Table, limit: LoginLimit | None, key: bytes) -> None:
        self._table = table
        self._limit = limit
        self._key = key

    def attempt(self, name: str, id: object | None, address: str | None) -> Attempt:
        """Name a try.

        Args:
            name: what the person calls the account; it counts where there is none of this name, so that an account that is
                not there answers as one that is.
            id: of the account.
            address: that it comes from, or its network (`client_key`); empty where nobody knows it, and all of those are
                counted together, since a header must not make a try nobody's. None counts the account alone.
        """
        whose = f"name:{name.strip().casefold()}" if id is None else f"account:{id}"
        return Attempt(self._digest(whose), None if address is None else self._digest(f"address:{address}"))

    async def require_room(self, session: AsyncSession, attempt: Attempt) -> None:
        """Refuse a try while a block goes on: one statement.

        Raises:
            RateLimitedError: CLN310, with the seconds that are left of it.
        """
        if self._limit is not None:
            self._refuse((await self._read(session, attempt)).values())

    async def forget(self, session: AsyncSession, attempt: Attempt) -> None:
        """Forget an account's failures, in the transaction of its login; an address keeps its own.

        Raises:
            RateLimitedError: CLN310, a block has begun meanwhile.
        """
        if self._limit is not None:
            await self.require_room(session, attempt)
            await self.clear(session, attempt)

    async def clear(self, session: AsyncSession, attempt: Attempt) -> None:
        """Forget an account's failures whatever they are, in the transaction that gives it a new password."""
        await session.execute(sa.delete(self._table).where(self._table.c.id == attempt.account))

    async def count(self, database: Database, attempt: Attempt) -> None:
        """Count a failure, of the account and of the address.

        Raises:
            RateLimitedError: CLN310, others have used the limit up meanwhile: this one is not told what it was.
        """
        if self._limit is None:
            return
        for _ in range(_TRIES):
            try:
                await database.retry(lambda: self._count(database, attempt))
            except UniqueError:
                continue  # another failure was the first of its name
            return
        raise RateLimitedError("Too many failed logins at once.")

    async def _count(self, database: Database, attempt: Attempt) -> None:
        assert self._limit is not None  # asked by the caller
        now, limits = utc_now(), {attempt.account: self._limit}
        if attempt.address is not None:
            limits[attempt.address] = self._limit.times(PER_ADDRESS)
        async with database.unit_of_work() as unit:
            known = await self._read(unit.session, attempt, lock=True)
            self._refuse(known.values())
            for id, limit in limits.items():
                after = limit.after_failure(known.get(id), now)
                values = {
                    "failures": after.failures,
                    "blocks": after.blocks,
                    "since": after.since,
                    "blocked_until": after.blocked_until,
                    "updated_at": now,
                }
                if id in known:
                    await unit.session.execute(sa.update(self._table).where(self._table.c.id == id).values(values))
                else:
                    await unit.session.execute(sa.insert(self._table).values(id=id, **values))
            await unit.commit()

    async def _read(self, session: AsyncSession, attempt: Attempt, *, lock: bool = False) -> dict[str, Failures]:
        table = self._table
        # In one order always, so that two who fail at once do not wait for each other.
        chosen = sa.select(table).where(table.c.id.in_([id for id in attempt if id is not None])).order_by(table.c.id)
        rows = await session.execute(chosen.with_for_update() if lock else chosen)
        return {row.id: Failures(row.failures, row.blocks, row.since, row.blocked_until) for row in rows}

    @staticmethod
    def _refuse(known: Iterable[Failures]) -> None:
        now = utc_now()
        wait = max((failures.wait(now) for failures in known), default=timedelta())
        if wait:
            raise RateLimitedError("Too many failed logins.", retry_after=math.ceil(wait.total_seconds()))

    def _digest(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
