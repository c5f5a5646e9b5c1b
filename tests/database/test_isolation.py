"""What the test kit gives a test of an application: a database in memory, or a real one that forgets."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from colonnade.core.errors import UniqueError
from colonnade.database.database import Database
from colonnade.database.driver import Statement
from colonnade.models.base import NAMING_CONVENTION
from colonnade.testing.memory import memory_database
from colonnade.testing.rollback import rolled_back

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    """A base of this file alone, so that its tables are nobody else's."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Note(Base):
    """Something to store."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(20), unique=True)


INSERT = Statement("INSERT INTO notes (text) VALUES ('compiled')", ())
COUNT = Statement("SELECT count(*) FROM notes", ())


async def _count(database: Database) -> int:
    return int((await database.fetch(COUNT))[0][0])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A real database with the table made."""
    database = Database(database_url, metadata=Base.metadata)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.dispose()


async def test_a_memory_database_is_one_test_s_own() -> None:
    """S60: a memory database has its tables, keeps what is committed, and shares nothing with the next one."""
    async with memory_database(Base.metadata) as first, memory_database(Base.metadata) as second:
        await first.commit([INSERT])
        assert [await _count(first), await _count(second)] == [1, 0]


@pytest.mark.databases("postgresql", "mariadb")
async def test_every_way_of_writing_is_rolled_back(database: Database) -> None:
    """S60: commits of the compiled way, of sessions and of units of work see each other, and all are undone at the end."""
    async with rolled_back(database):
        await database.commit([INSERT])
        async with database.session() as session:
            session.add(Note(text="session"))
            await session.commit()
        async with database.unit_of_work() as unit:
            unit.session.add(Note(text="unit"))
            await unit.commit()
        assert await _count(database) == 3
    assert await _count(database) == 0


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_refused_write_does_not_end_the_test(database: Database) -> None:
    """S60: an error undoes its own transaction only; the test goes on with what was committed before."""
    async with rolled_back(database):
        await database.commit([INSERT])
        with pytest.raises(UniqueError):
            await database.commit([INSERT])
        async with database.session() as session:
            session.add(Note(text="never committed"))
            await session.flush()
        assert await _count(database) == 1


@pytest.mark.databases("postgresql", "mariadb")
async def test_a_failing_test_leaves_nothing(database: Database) -> None:
    """S60: the roll-back happens although the test raises, and the database works as before."""

    async def failing_test() -> None:
        async with rolled_back(database):
            await database.commit([INSERT])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing_test()
    assert await _count(database) == 0
    await database.commit([INSERT])
    assert await _count(database) == 1


@pytest.mark.databases("sqlite-memory")
async def test_sqlite_is_told_the_better_way(database: Database) -> None:
    """S60: `rolled_back` refuses SQLite, whose writes do not go over a shared connection, and names what to use."""
    with pytest.raises(ValueError, match="memory_database"):
        async with rolled_back(database):
            pass
