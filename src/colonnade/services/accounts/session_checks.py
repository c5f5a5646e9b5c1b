"""Asking the database whether sessions hold, for requests that come together in one statement.

Every request asks, so that a change counts at its very next one. But a round trip to the database for each would halve
what a server answers: requests that arrive while one check is under way wait for its end, and are then asked for
together. None of them gets an answer from before it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from colonnade.core.errors import UnavailableError
from colonnade.database.database import Database
from colonnade.query.compile import CompiledStatement, compile_statement
from colonnade.services.accounts.blueprint import AccountBlueprint

SIZES = (1, 8, 64)
"""Sessions that one statement asks for are filled up to one of these, so that a few texts serve every number."""

Row = tuple[Any, Any]
"""The id and the role of a session's account, as the driver gives them."""


class SessionChecks:
    """Reads what sessions stand for in one database.

    Args:
        database: where they are.
        accounts: whose they are.
    """

    def __init__(self, database: Database, accounts: AccountBlueprint) -> None:
        self.database = database
        self._statements = {size: self._compiled(accounts, size) for size in SIZES}
        self._waiting: dict[str, asyncio.Future[Row | None]] = {}
        self._under_way = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def account_of(self, session: str) -> Row | None:
        """Give the account of a session; None when the session is over, or its account may not do anything.

        Raises:
            ServerError: CLN510 to CLN513.
        """
        if not self._under_way:
            self._under_way = True
            try:
                rows = await self.database.fetch(self._statements[1].bind({"s0": session}))
            except UnavailableError as error:
                self._fail(self._waiting, error)
                raise
            finally:
                self._go_on()
            return (rows[0][1], rows[0][2]) if rows else None
        future = self._waiting.get(session)
        if future is None:
            future = self._waiting[session] = asyncio.get_running_loop().create_future()
        # Several may wait for one answer: one that is cancelled must not take it from the others.
        return await asyncio.shield(future)

    def _go_on(self) -> None:
        if not self._waiting:
            self._under_way = False
            return
        task = asyncio.get_running_loop().create_task(self._ask_together())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_together(self) -> None:
        asked = dict(list(self._waiting.items())[: SIZES[-1]])
        for session in asked:
            del self._waiting[session]
        try:
            found = await self._read(asked)
        except Exception as error:
            self._fail(asked, error)
            if isinstance(error, UnavailableError):
                self._fail(self._waiting, error)
        else:
            for session, future in asked.items():
                future.set_result(found.get(session))
        finally:
            self._go_on()

    @staticmethod
    def _fail(asked: dict[str, asyncio.Future[Row | None]], error: Exception) -> None:
        """Tell a failure to all who wait; those who came during the check would wait as long once more for their own."""
        for future in asked.values():
            future.set_exception(error)
            future.exception()  # whoever asked may be gone; nobody else has to hear of it
        asked.clear()

    async def _read(self, asked: Mapping[str, object]) -> dict[str, Row]:
        sessions = list(asked)
        size = next(size for size in SIZES if size >= len(sessions))
        bound = {f"s{index}": sessions[min(index, len(sessions) - 1)] for index in range(size)}
        rows = await self.database.fetch(self._statements[size].bind(bound))
        return {row[0]: (row[1], row[2]) for row in rows}

    def _compiled(self, accounts: AccountBlueprint, size: int) -> CompiledStatement:
        facts, sessions = accounts.facts, accounts.tables.sessions
        asked = [sa.bindparam(f"s{index}", type_=sa.String()) for index in range(size)]
        statement = sa.select(sessions.c.id, facts.identity.column, accounts.column("role")).where(
            sessions.c.id == asked[0] if size == 1 else sessions.c.id.in_(asked),
            sessions.c.account_id == facts.identity.column,
            sessions.c.token_version == accounts.column("token_version"),
            accounts.column("is_active"),
            *facts.visible(),
        )
        return compile_statement(statement, self.database.dialect)
