"""Several processes on one database: SQLite's one writer at a time, a kill under writes, a key that is sent ten times."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from colonnade import Resource, Routes
from tests.house.tree import ROOT
from tests.library import Book, Publisher, library
from tests.reliability.faulty import is_told
from tests.reliability.figures import kind_of, note, seconds, times

PROCESSES, WRITERS = 4, 20
KEYS = times(200, 10_000)
KILLS = times(2, 500)

PROGRAM = """
import asyncio, json, os, sys, time
from collections import Counter
from colonnade import Database, Resource
from tests.library import Book, Publisher, Shelf, client_of, library_app

url, name, seconds, processes, writers = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])

async def main(own):
    app = library_app(Database(url, metadata=Shelf.metadata))
    statuses = Counter()
    async with app.router.lifespan_context(app), client_of(app) as client:
        end = time.monotonic() + seconds

        async def write(number):
            turn = 0
            while time.monotonic() < end:
                turn += 1
                title = f"{name}.{own}.{number}.{turn}"
                # Both or none: a bulk of two.
                body = {"items": [{"title": title, "pages": half} for half in (1, 2)]}
                answer = await client.post("books/bulk", json=body)
                statuses[answer.status_code] += 1
                if answer.status_code == 201:
                    os.write(1, b"T " + title.encode() + b"\\n")

        await asyncio.gather(*[write(number) for number in range(writers)])
    os.write(1, b"S " + json.dumps(statuses).encode() + b"\\n")

# Imported once, then several processes of it: that is cheaper than to start each by itself.
children = []
for own in range(processes):
    child = os.fork()
    if not child:
        asyncio.run(main(own))
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""


def run(url: str, name: str, for_seconds: float, processes: int = 2) -> subprocess.Popen[bytes]:
    """Start processes of writers; they print the titles that were answered with 201 (T), and their statuses (S)."""
    words = [url, name, str(for_seconds), str(processes), str(WRITERS)]
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)


def said(out: bytes, word: str) -> list[str]:
    """Give what stands behind a word at the beginning of whole lines; what follows the last newline was cut off."""
    lines = [line.decode() for line in out.split(b"\n")[:-1]]
    return [line[2:] for line in lines if line.startswith(f"{word} ")]


async def halves(url: str) -> Counter[str]:
    """Count the rows of each title."""
    async with library(url) as client:
        found: Counter[str] = Counter()
        path = "books?cursor=&limit=100&fields=id,title"
        while path:
            page = (await client.get(path)).json()
            found.update(book["title"] for book in page["books"])
            path = f"books?cursor={page['next_cursor']}&limit=100&fields=id,title" if page["has_more"] else ""
        return found


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file")
async def test_four_processes_of_twenty_writers_on_sqlite(database_url: str) -> None:
    """Reliability, SQLite: nobody is told that the database is locked, and every answered row is there."""
    await halves(database_url)  # makes the tables
    out, _ = await asyncio.to_thread(run(database_url, "w", seconds(4, 600), PROCESSES).communicate)
    answered = set(said(out, "T"))
    statuses = [json.loads(told) for told in said(out, "S")]
    assert [set(told) for told in statuses] == [{"201"}] * PROCESSES
    found = await halves(database_url)
    assert answered == set(found)
    assert set(found.values()) == {2}
    note("SQLite, 4 processes of 20 writers", "SQLite", answered=len(answered))


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_a_kill_under_writes_loses_nothing_that_was_answered(database_url: str) -> None:
    """Reliability, SIGKILL under writes: every bulk that was answered is there, and none by half."""
    await halves(database_url)
    answered: set[str] = set()
    for cycle in range(KILLS):
        with run(database_url, str(cycle), 60) as process:
            assert process.stdout is not None
            first = await asyncio.to_thread(process.stdout.readline)
            await asyncio.sleep(random.uniform(0, 0.3))
            os.killpg(process.pid, signal.SIGKILL)
            rest = await asyncio.to_thread(process.stdout.read)
        answered.update(said(first + rest, "T"))
    found = await halves(database_url)
    assert answered <= set(found)
    assert set(found.values()) == {2}
    note("SIGKILL under writes", kind_of(database_url), cycles=KILLS, answered=len(answered), stored=len(found))


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file", "postgresql")
async def test_a_key_that_is_sent_ten_times_at_once_has_one_effect(database_url: str) -> None:
    """Reliability, idempotency: as many rows as keys, and the same answer to each of ten who send one key at once."""
    resources = [Resource(Book, routes=Routes(idempotent=True)), Resource(Publisher)]
    began = time.monotonic()
    async with library(database_url, resources=resources) as client:

        async def send(key: str) -> bytes:
            for _ in range(20):
                answer = await client.post("books", json={"title": key}, headers={"idempotency-key": key})
                if answer.status_code == 409 or not is_told(answer, 201):
                    await asyncio.sleep(0.05)
                    continue
                return answer.content
            raise AssertionError("never answered")

        for start in range(0, KEYS, 10):
            sending = [[send(f"key-{number}") for _ in range(10)] for number in range(start, start + 10)]
            for answers in await asyncio.gather(*[asyncio.gather(*ten) for ten in sending]):
                assert len(set(answers)) == 1
        assert (await client.get("books")).json()["total"] == KEYS
    note("idempotency key, 10 at once", kind_of(database_url), keys=KEYS, seconds=f"{time.monotonic() - began:.1f}")
