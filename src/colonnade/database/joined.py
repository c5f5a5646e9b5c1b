"""A database as it is seen from inside one open transaction: what would commit by itself becomes a part of that.

Reading, writing and bulk changes need not know whether they are a request's whole work or one step of a batch: they are
given this in place of the database. Each of their transactions is a savepoint here, so that one that is refused and tried in
another way leaves the connection in order; the commit that counts is the outer one's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.database.database import Database
from colonnade.database.driver import Follow, Outcome, Statement
from colonnade.database.unit_of_work import Effect, Translation, UnitOfWork

Result = TypeVar("Result")


class JoinedDatabase(Database):
    """The database of a unit of work.

    Args:
        outer: the database.
        unit: entered; whoever entered it commits it.
    """

    def __init__(self, outer: Database, unit: UnitOfWork) -> None:
        # Engine, dialect and diagnosis are the outer one's; nothing is opened.
        self.__dict__.update(outer.__dict__)
        self._unit = unit

    async def fetch(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """Run one read in the transaction."""
        try:
            return (await self._unit.run(statement)).rows
        except Exception as error:
            if (problem := self.translate(error)) is not None:
                raise problem from error
            raise

    async def commit(self, statements: Sequence[Statement], follow: Follow | None = None) -> list[Outcome]:
        """Run a planned change as a savepoint of the transaction."""
        async with self.unit_of_work() as unit:
            outcomes = [await unit.run(statement) for statement in statements]
            for statement in () if follow is None else follow(outcomes):
                await unit.run(statement)
            await unit.commit()
        return outcomes

    async def retry(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do it once: a deadlock has rolled the whole transaction back, so that the whole has to be tried again."""
        return await work()

    async def settle(self, effect: Effect) -> None:
        """Leave it to the commit of the transaction."""
        self._unit.after_commit(effect)

    def unit_of_work(self) -> UnitOfWork:
        """Open a savepoint in the place of a transaction."""
        return _Savepoint(self._unit, Translation(self.translate, self.translate, self.translate))

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """Open a session on the transaction's own connection, which sees what was changed so far."""
        async with self.sessions(bind=await self._unit.session.connection()) as session:
            yield session


class _Savepoint(UnitOfWork):
    """A unit of work inside another one."""

    def __init__(self, outer: UnitOfWork, translate: Translation) -> None:
        super().__init__(outer.session, nullcontext(), translate)
        self._outer = outer

    async def __aenter__(self) -> Self:
        # What earlier steps have loaded may have been changed by statements that the session knows nothing of.
        self.session.expunge_all()
        self._savepoint = await self.session.begin_nested()
        return self

    async def commit(self) -> None:
        """Flush, and release the savepoint; the effects wait for the outer commit."""
        try:
            await self._savepoint.commit()
        except Exception as error:
            self._raise(error)
        for effect in self._effects:
            self._outer.after_commit(effect)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._savepoint.is_active:
            await self._savepoint.rollback()
        self.session.expunge_all()
        if error is not None:
            self._raise(error)
