"""Answering a repeated request with the first one's answer (draft-ietf-httpapi-idempotency-key-header).

The key is claimed by the first statement of the change's own transaction and the answer stored by its last, so that effect
and answer become durable together, or neither does. A request that comes while another one with the same key is at work
waits for a moment: in this process for its end, elsewhere for the row's lock.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from colonnade.core.errors import KeyInUseError, KeyReusedError, ProblemError, StatementTimeoutError, UniqueError
from colonnade.core.json import dump_json, parse_json
from colonnade.database.database import Database
from colonnade.database.joined import JoinedDatabase
from colonnade.models.clock import utc_now

KEPT = timedelta(hours=24)
PATIENCE = 2.0
"""Seconds that a request waits for another one with its key."""

_PURGE_EVERY = 200  # requests with a key, about


class Keyed(NamedTuple):
    """A request with a key: a digest of principal, method, path and key, and one of what it asks for."""

    id: str
    request: str


class Answer(NamedTuple):
    """What a request was answered: status, headers, body; `again` when an earlier one was."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    again: bool = False


Work = Callable[[Database], Awaitable[Answer]]


class IdempotencyKeys:
    """Remembers answers for a day.

    Args:
        table: where; see `idempotency_keys`.
    """

    def __init__(self, table: sa.Table) -> None:
        self._table = table
        self._running: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def answer(self, database: Database, keyed: Keyed, work: Work) -> Answer:
        """Do the work, unless it was done already.

        Args:
            database: of the work and of the answers.
            keyed: which request it is.
            work: is given the database as the transaction sees it; what it raises is answered, and not remembered.

        Raises:
            KeyReusedError: CLN203, the key came with another request before.
            KeyInUseError: CLN413, the first request is still at work.
        """
        place = str(database.url), keyed.id
        # Before any look at the table, which an open transaction may have locked: a SQLite database in memory.
        while (running := self._running.get(place)) is not None:
            await self._wait(running)
        mine = self._running[place] = asyncio.get_running_loop().create_future()
        try:
            return await self._find(database, keyed) or await self._first(database, keyed, work)
        finally:
            del self._running[place]
            mine.set_result(None)

    async def _first(self, database: Database, keyed: Keyed, work: Work) -> Answer:
        for _ in range(2):
            try:
                answer = await database.retry(lambda: self._once(database, keyed, work))
            except _TakenError:
                # Another process was first, and has committed by now; or an answer of yesterday stands in the way.
                if (found := await self._find(database, keyed)) is not None:
                    return found
                await self._purge(database)
                continue
            if random.random() < 1 / _PURGE_EVERY:  # noqa: S311  # no secret
                with suppress(ProblemError):  # the next one will
                    await self._purge(database)
            return answer
        raise KeyInUseError

    async def _once(self, database: Database, keyed: Keyed, work: Work) -> Answer:
        table = self._table
        async with database.unit_of_work() as unit:
            await self._claim(database, unit.session, keyed)
            answer = await work(JoinedDatabase(database, unit))
            headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers]
            stored = {"status": answer.status, "headers": dump_json(headers).decode(), "body": answer.body}
            await unit.session.execute(sa.update(table).where(table.c.id == keyed.id).values(stored))
            await unit.commit()
        return answer

    async def _claim(self, database: Database, session: Any, keyed: Keyed) -> None:
        table, now = self._table, utc_now()
        row = {"id": keyed.id, "request": keyed.request, "status": 0, "headers": "", "body": b"", "created_at": now}
        try:
            await session.execute(sa.insert(table).values(row))
        except Exception as error:
            problem = database.translate(error)
            if isinstance(problem, UniqueError):
                raise _TakenError from error
            if isinstance(problem, StatementTimeoutError):
                raise KeyInUseError from error
            raise

    async def _find(self, database: Database, keyed: Keyed) -> Answer | None:
        table = self._table
        chosen = sa.select(table).where(table.c.id == keyed.id, table.c.created_at >= utc_now() - KEPT)
        async with database.session(read_only=True) as session:
            row = (await session.execute(chosen)).one_or_none()
        if row is None:
            return None
        if row.request != keyed.request:
            raise KeyReusedError
        pairs: Any = parse_json(row.headers.encode())
        headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
        return Answer(row.status, headers, bytes(row.body), again=True)

    @staticmethod
    async def _wait(running: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(running)
        except TimeoutError:
            raise KeyInUseError from None

    async def _purge(self, database: Database) -> None:
        table = self._table
        async with database.unit_of_work() as unit:
            await unit.session.execute(sa.delete(table).where(table.c.created_at < utc_now() - KEPT))
            await unit.commit()


class _TakenError(Exception):
    """The key is in the table already."""
