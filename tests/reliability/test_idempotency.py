"""SIGKILL around a request with an `Idempotency-Key`: repeated, it has one effect and one answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.house.tree import ROOT

KEYS = int(os.environ.get("IDEMPOTENCY_KEYS", "3"))

# A process that serves one request and may die at some point of it: before the answer leaves, or `delay` seconds in.
PROGRAM = """
import asyncio, os, signal, sys, threading
from colonnade import Database, Resource, Routes
from tests.library import Book, Publisher, Shelf, client_of, library_app

url, key, death = sys.argv[1:]

def dying(app):
    async def around(scope, receive, send):
        async def last(message):
            if death == "answer" and message["type"] == "http.response.start":
                os.kill(os.getpid(), signal.SIGKILL)
            await send(message)
        await app(scope, receive, last)
    return around

async def main():
    app = library_app(
        Database(url, metadata=Shelf.metadata), None, [Resource(Book, routes=Routes(idempotent=True)), Resource(Publisher)]
    )
    async with app.router.lifespan_context(app), client_of(dying(app)) as client:
        if death[:1].isdigit():
            threading.Timer(float(death), os.kill, (os.getpid(), signal.SIGKILL)).start()
        answer = await client.post("books", json={"title": key}, headers={"idempotency-key": key})
        rows = (await client.get("books?count=exact")).json()
        sys.stdout.write(f"{answer.status_code} {answer.headers.get('idempotency-replayed')} {answer.json()['id']} "
                         f"{rows['total']}")

asyncio.run(main())
"""


def ask(url: str, key: str, death: str = "never") -> tuple[int, str]:
    """Serve one request in a process of its own; give its exit code and what it printed."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, url, key, death]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, done.stdout


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
def test_a_kill_between_commit_and_answer(database_url: str) -> None:
    """Reliability, idempotency with kills: what was committed is answered to the repeated request, and not done again."""
    assert ask(database_url, "key", "answer") == (-signal.SIGKILL, "")
    assert ask(database_url, "key") == (0, "201 true 1 1")
    assert ask(database_url, "key") == (0, "201 true 1 1")


@pytest.mark.databases("sqlite-file", "postgresql")
def test_a_kill_at_any_moment(database_url: str) -> None:
    """Reliability, idempotency with kills: as many effects as keys, wherever the process died."""
    for number in range(KEYS):
        code, _ = ask(database_url, str(number), f"{0.002 * (number + 1):.3f}")
        assert code in (0, -signal.SIGKILL)
        _, printed = ask(database_url, str(number))
        status, *_, total = printed.split()
        assert (status, int(total)) == ("201", number + 1)
