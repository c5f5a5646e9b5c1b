"""The pool under load: first come, first served, counted right, and one for both ways."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from colonnade import Database, PoolSettings
from colonnade.core.errors import PoolExhaustedError
from colonnade.database.driver import Statement

pytestmark = [pytest.mark.anyio, pytest.mark.databases("postgresql", "mariadb")]

ONE = Statement("SELECT 1", ())
# Those that came later than whoever asks; earlier ones belong to the test kit.
OTHERS = """
    FROM pg_stat_activity WHERE datname = current_database()
    AND backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
"""


async def test_first_come_first_served(database_url: str) -> None:
    """Whoever waits for a connection gets the next one: nobody starves behind those who come again at once."""
    database = Database(database_url, pool=PoolSettings(size=2))
    turns = [0] * 6

    async def ask(number: int) -> None:
        for turns[number] in range(1, 101):
            await database.fetch(ONE)

    asking = [asyncio.create_task(ask(number)) for number in range(6)]
    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert min(turns) > 50
    await asyncio.gather(*asking)
    await database.dispose()


async def test_sessions_wait_in_the_same_line(database_url: str) -> None:
    """A session gets its turn among statements of the compiled way."""
    database = Database(database_url, pool=PoolSettings(size=2))
    is_over = False

    async def ask() -> None:
        while not is_over:
            await database.fetch(ONE)

    asking = [asyncio.create_task(ask()) for _ in range(6)]
    for _ in range(5):
        async with database.session(read_only=True) as session:
            assert await session.scalar(sa.text("SELECT 1")) == 1
    is_over = True
    await asyncio.gather(*asking)
    await database.dispose()


async def test_whoever_gives_up_takes_nothing_along(database_url: str) -> None:
    """A caller that is cancelled while it waits, or just as its turn comes, costs the pool no connection."""
    database = Database(database_url, pool=PoolSettings(size=2))
    for delay in range(20):
        asking = [asyncio.create_task(database.fetch(ONE)) for _ in range(8)]
        for _ in range(delay):
            await asyncio.sleep(0)
        for task in asking[::2]:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    await asyncio.gather(*[database.fetch(ONE) for _ in range(10)])
    pool = database.engine.pool
    assert isinstance(pool, sa.QueuePool)
    assert (pool.checkedout(), pool.overflow() <= 0) == (0, True)
    await database.dispose()


@pytest.mark.databases("postgresql")
async def test_a_lost_connection_does_not_make_the_pool_larger(database_url: str) -> None:
    """S40: after sessions were ended under load there are still at most as many connections as the pool may have."""
    database = Database(database_url, pool=PoolSettings(size=3))
    admin = Database(database_url, pool=PoolSettings(size=1))
    await admin.ping()
    for _ in range(5):
        asking = [asyncio.create_task(database.fetch(ONE)) for _ in range(12)]
        await admin.fetch(Statement(f"SELECT pg_terminate_backend(pid) {OTHERS}", ()))
        await asyncio.gather(*asking)
    pool = database.engine.pool
    assert isinstance(pool, sa.QueuePool)
    assert (pool.checkedout(), pool.overflow() <= 0) == (0, True)
    await asyncio.gather(*[database.fetch(Statement("SELECT pg_sleep(0.05)", ())) for _ in range(8)])
    assert (await admin.fetch(Statement(f"SELECT count(*) {OTHERS}", ())))[0][0] <= 3
    await database.dispose()
    await admin.dispose()


async def test_both_ways_share_one_pool_after_dispose(database_url: str) -> None:
    """S38: a database that was disposed of and is used again has one pool, whose limit holds for both ways."""
    database = Database(database_url, pool=PoolSettings(size=1, timeout=0.05))
    await database.ping()
    await database.dispose()
    async with database.session(read_only=True) as session:
        await session.execute(sa.text("SELECT 1"))
        with pytest.raises(PoolExhaustedError):
            await database.ping()
    await database.ping()
    await database.dispose()


async def test_what_is_lent_at_the_end_is_closed_when_it_comes_back(database_url: str) -> None:
    """S57: a connection that outlives `dispose` is closed, not kept in a pool that nobody asks any more."""
    database = Database(database_url, pool=PoolSettings(size=2))
    async with database.session(read_only=True) as session:
        await session.execute(sa.text("SELECT 1"))
        await database.dispose()
    assert (database.pool_events.connect, database.pool_events.close) == (1, 1)


async def test_whoever_waited_in_vain_stands_in_no_line(database_url: str) -> None:
    """Those whose time was over are not counted as waiting, and no connection is kept for them."""
    database = Database(database_url, pool=PoolSettings(size=1, timeout=0.05))
    async with database.session(read_only=True) as session:
        await session.execute(sa.text("SELECT 1"))
        asking = [asyncio.create_task(database.fetch(ONE)) for _ in range(10)]
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(answer) for answer in answers} == {PoolExhaustedError}
        assert database.engine.sync_engine.pool.waiting == 0  # type: ignore[attr-defined]  # a LendingPool
    assert await database.fetch(ONE)
    await database.dispose()
