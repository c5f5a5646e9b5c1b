"""Sessions that promise to read only are held to it, and leave nothing of it to whoever has the connection next."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade import Database, PoolSettings

pytestmark = pytest.mark.anyio


class Stone(DeclarativeBase):
    """The base of this file alone."""


class Rule(Stone):
    """Something to read."""

    __tablename__ = "rules"

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_session_that_only_reads_writes_nothing(database_url: str) -> None:
    """S38: a write is refused inside, whether it is committed or not; the same connection writes and reads afterwards."""
    database = Database(database_url, metadata=Stone.metadata, pool=PoolSettings(size=1, max_overflow=0))
    await database.start(create_tables=True)
    try:
        for number in (1, 2):
            async with database.session(read_only=True) as session:
                assert len((await session.scalars(sa.select(Rule.id))).all()) == number - 1
                with pytest.raises(DBAPIError, match=r"(?i)read.only"):
                    await session.execute(sa.insert(Rule).values(id=number))
            async with database.unit_of_work() as unit:
                unit.session.add(Rule(id=number))
                await unit.commit()
        async with database.session(read_only=True) as session:
            assert await session.scalar(sa.select(sa.func.count()).select_from(Rule)) == 2
    finally:
        await database.dispose()
