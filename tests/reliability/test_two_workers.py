"""The families whose harm could lie between two workers: the same application, served by two real processes."""

from __future__ import annotations

import asyncio

import pytest

from tests.reliability.figures import SOAK, kind_of, note, times
from tests.reliability.test_contention import race
from tests.reliability.test_idempotency import post
from tests.reliability.test_lost_update import lose_nothing
from tests.serving_workers import connected, serving_workers

pytestmark = [
    pytest.mark.anyio,
    # To start two processes costs more than all that they are asked.
    pytest.mark.databases(*(("sqlite-file", "postgresql", "mariadb") if SOAK else ("postgresql",))),
]

ROUNDS, TRIES, KEYS = times(10, 500), times(10, 2_500), times(10, 5_000)


async def test_two_workers_lose_nothing_and_do_nothing_twice(database_url: str) -> None:
    """Reliability, two workers: lost update, unique race and repeated keys come out as with one."""
    environment = {"ENV": "test", "DATABASE_URL": database_url, "RATE_LIMIT": "off"}
    with serving_workers("tests.served_library:app", environment) as port:
        async with connected(f"http://127.0.0.1:{port}", each=5) as connections:
            for connection in connections:
                connection.base_url = f"http://127.0.0.1:{port}/api/v1/"
            await lose_nothing(connections, TRIES)
            await race(connections, ROUNDS)
            for number in range(KEYS):
                answers = await asyncio.gather(*[post(connection, number) for connection in connections])
                assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    note("two workers", kind_of(database_url), races=ROUNDS, updates=20 * TRIES, keys=KEYS)
