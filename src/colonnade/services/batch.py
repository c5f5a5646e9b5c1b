"""Several steps on several resources in one transaction: all of them stand in the end, or none does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from colonnade.database.database import Database
from colonnade.database.joined import JoinedDatabase

Result = TypeVar("Result")


async def in_one_transaction(
    database: Database, work: Callable[[Database], Awaitable[Result]], *, keep: bool = True
) -> Result:
    """Do all of some work in one transaction, and once more while others get in its way.

    Args:
        database: where.
        work: is given the database as the transaction sees it; a step that raises rolls all of them back.
        keep: commit at the end; otherwise everything is rolled back, and no `after_commit` is called.
    """

    async def once() -> Result:
        async with database.unit_of_work() as unit:
            result = await work(JoinedDatabase(database, unit))
            if keep:
                await unit.commit()
        return result

    return await database.retry(once)
