"""Counting in the application's own database, where several processes serve and there is no Redis.

A client's window is one row. It is read, counted on, and written back on the condition that it is still what was read, so
two processes can't both take the last place. Requests of one client that come to one process together are counted
together.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from colonnade.core.errors import ContentionError, UniqueError
from colonnade.core.json import dump_json, parse_json
from colonnade.database.database import Database
from colonnade.database.driver import Statement
from colonnade.limits.rate import Rate, Verdict
from colonnade.limits.window import MovingWindow, Part
from colonnade.models.rate_limits import rate_limits
from colonnade.query.compile import CompiledStatement, compile_statement

MAX_TRIES = 50
_PURGE_EVERY = 1_000  # writes, about


class SqlCounts:
    """Counts in the table of `rate_limits`.

    Args:
        database: the application's own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = rate_limits(database.metadata if database.metadata is not None else sa.MetaData())
        self._statements = _Statements(self._table, database.dialect)
        self._waiting: dict[str, list[asyncio.Future[Verdict]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, limit: str, rate: Rate, client: str) -> Verdict:
        """Count one request, unless there are too many (two statements, for all who wait together).

        Raises:
            ServerError: CLN510 to CLN513.
        """
        key = blake2b(f"{limit}:{rate.requests}/{rate.seconds}:{client}".encode(), digest_size=32).hexdigest()
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        if (waiting := self._waiting.get(key)) is not None:
            waiting.append(future)
        else:
            self._waiting[key] = [future]
            # A task of its own: a request that is cancelled must not leave the others waiting.
            task = asyncio.create_task(self._count_all(key, rate))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def close(self) -> None:
        """Wait for what is being counted."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _count_all(self, key: str, rate: Rate) -> None:
        while waiting := self._waiting[key]:
            self._waiting[key] = []
            try:
                verdicts = await self._count(key, rate, len(waiting))
            except Exception as error:  # told to whoever waits, one and all
                for future in waiting:
                    if not future.done():
                        future.set_exception(error)
            else:
                for future, verdict in zip(waiting, verdicts, strict=True):
                    if not future.done():
                        future.set_result(verdict)
        del self._waiting[key]

    async def _count(self, key: str, rate: Rate, requests: int) -> list[Verdict]:
        for tried in range(MAX_TRIES):
            before = await self._read(key)
            window = MovingWindow(rate, _parts(before))
            now = time.time()
            verdicts = [window.take(now) for _ in range(requests)]
            if not verdicts[0].accepted or await self._write(key, before, window, rate):
                return verdicts
            await asyncio.sleep(random.uniform(0, 0.001 * min(tried + 1, 20)))  # noqa: S311  # jitter
        raise ContentionError("This client's requests could not be counted.")

    async def _read(self, key: str) -> str | None:
        rows = await self._database.fetch(self._statements.read.bind({"key": key}))
        return str(rows[0][0]) if rows else None

    async def _write(self, key: str, before: str | None, window: MovingWindow, rate: Rate) -> bool:
        """Store a window where it is still what was read; False where another process was first."""
        after = dump_json([[part.first, part.last, part.count] for part in window.parts]).decode()
        expires = datetime.fromtimestamp(window.parts[-1].last + rate.seconds, UTC)
        values: dict[str, Any] = {"key": key, "after": after, "expires": expires}
        try:
            if before is None:
                await self._database.commit([self._statements.insert.bind(values)])
                return True
            (outcome,) = await self._database.commit([self._statements.update.bind({**values, "before": before})])
        except UniqueError:
            return False
        if random.random() < 1 / _PURGE_EVERY:  # noqa: S311  # no secret
            await self._database.commit([self._purge()])
        return outcome.affected == 1

    def _purge(self) -> Statement:
        return self._statements.purge.bind({"now": datetime.now(UTC)})


class _Statements:
    """The four statements, compiled once."""

    def __init__(self, table: sa.Table, dialect: sa.Dialect) -> None:
        key, counted, expires = table.c.id, table.c.counted, table.c.expires_at

        def compiled(statement: Any) -> CompiledStatement:
            return compile_statement(statement, dialect)

        bound = {counted: sa.bindparam("after"), expires: sa.bindparam("expires", type_=expires.type)}
        same = key == sa.bindparam("key")
        self.read = compiled(sa.select(counted).where(same))
        self.insert = compiled(sa.insert(table).values({key: sa.bindparam("key"), **bound}).inline())
        unchanged = sa.update(table).values(bound).where(same, counted == sa.bindparam("before"))
        # A driver may count the rows that it gives, and only them.
        self.update = compiled(unchanged.returning(key) if dialect.update_returning else unchanged)
        self.purge = compiled(sa.delete(table).where(expires < sa.bindparam("now", type_=expires.type)))


def _parts(kept: str | None) -> list[Part]:
    values: Any = [] if kept is None else parse_json(kept.encode())
    return [Part(float(first), float(last), int(count)) for first, last, count in values]
