"""A database in memory for one test: nothing to install, nothing to clean up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa

from colonnade.database.database import Database
from colonnade.models.base import Base


@asynccontextmanager
async def memory_database(metadata: sa.MetaData = Base.metadata) -> AsyncIterator[Database]:
    """Give a new SQLite database in memory with its tables made; it is gone when the block ends.

    All connections of the process see the one database, threads included, and no other test sees it::

        async with memory_database() as database:
            app = create_app(resources=[products], database=database)

    Args:
        metadata: the tables to make; those of every model on `colonnade.Base` that was imported, unless given.

    Yields:
        The database. Issues CREATE TABLE and CREATE INDEX for each table.
    """
    database = Database("sqlite://", metadata=metadata)
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield database
    finally:
        await database.dispose()
