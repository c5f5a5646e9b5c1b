"""One transaction around a session: committed where the caller says so, rolled back otherwise, closed always."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import NamedTuple, NoReturn, Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.errors import ProblemError
from colonnade.database.driver import Outcome, Statement

Effect = Callable[[], Awaitable[None]]
Translate = Callable[[BaseException], ProblemError | None]

_LOG = logging.getLogger("colonnade.database")


async def carry_out(effect: Effect) -> None:
    """Do what waits for a commit that stands; what it raises is logged, and goes no further.

    Raised, a deadlock or a conflict of its own would be taken for one of the transaction, which would be made once more: the
    change is stored, and has to be answered as stored.
    """
    try:
        await effect()
    except Exception:
        _LOG.exception("an effect after a commit failed; what was committed stays")


class Translation(NamedTuple):
    """Make a problem of a database's error, or None of one that is not the database's.

    Attributes:
        statement: of what leaves the block.
        commit: of what COMMIT met.
        gate: of what the gate met.
    """

    statement: Translate
    commit: Translate
    gate: Translate


class UnitOfWork:
    """`async with database.unit_of_work() as unit: ...; await unit.commit()`.

    Leaving the block without `commit()` rolls back. A database's refusal, wherever in the block it comes, leaves it as the
    `ProblemError` that a client can be told.

    Args:
        session: fresh, of this unit alone.
        gate: held from the first to the last statement; SQLite's single writer needs it, others none.
        translate: words the database's errors.
    """

    def __init__(
        self,
        session: AsyncSession,
        gate: AbstractAsyncContextManager[object],
        translate: Translation,
    ) -> None:
        self.session = session
        self._gate = gate
        self._translate = translate
        self._effects: list[Effect] = []
        self._inside = False

    async def run(self, statement: Statement) -> Outcome:
        """Run a planned statement in this transaction, its rows as the driver gives them."""
        connection = await self.session.connection()
        result = await connection.exec_driver_sql(statement.sql, statement.arguments or None)
        if not result.returns_rows:
            return Outcome((), result.rowcount)
        rows = result.fetchall()
        return Outcome(rows, len(rows))

    def after_commit(self, effect: Effect) -> None:
        """Have something done once the commit stands; it can't undo it any more, and what it raises is only logged."""
        self._effects.append(effect)

    async def commit(self) -> None:
        """Flush and commit; the effects run before this returns.

        Raises:
            ProblemError: the database refused; nothing was stored.
            OutcomeUnknownError: CLN514, the connection was lost during COMMIT itself.
        """
        try:
            await self.session.flush()
        except (SQLAlchemyError, OSError) as error:
            self._raise(error)
        try:
            await self.session.commit()
        except (SQLAlchemyError, OSError) as error:
            self._raise(error, self._translate.commit)
        # Others may write while the effects run, and the effects themselves may.
        await self._leave_gate()
        effects, self._effects = self._effects, []
        for effect in effects:
            await carry_out(effect)

    async def __aenter__(self) -> Self:
        try:
            await self._gate.__aenter__()
        except Exception as error:
            self._raise(error, self._translate.gate)
        self._inside = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # Rolls back what was not committed, and gives the connection back.
            await self.session.close()
        except Exception as failure:
            # A connection that is cut during ROLLBACK has nothing left to roll back, and the pool has thrown it away.
            if error is None:
                self._raise(failure)
        finally:
            await self._leave_gate()
        if error is not None:
            self._raise(error)

    async def _leave_gate(self) -> None:
        if self._inside:
            self._inside = False
            await self._gate.__aexit__(None, None, None)

    def _raise(self, error: BaseException, translate: Translate | None = None) -> NoReturn:
        if (problem := (translate or self._translate.statement)(error)) is not None:
            raise problem from error
        raise error
