"""Requests with an `Idempotency-Key`, many at once and killed in between: repeated, each has one effect and one answer."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import httpx
import pytest

from colonnade import Resource, Routes
from tests.house.tree import ROOT
from tests.library import Book, Publisher, library
from tests.reliability.figures import kind_of, note, times

KEYS, AT_ONCE = times(10, 10_000), 10
KILLS = times(3, 500)

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


async def post(client: httpx.AsyncClient, number: int) -> httpx.Response:
    """Send a request again, as a client does, while it hears that the first of its like is still at work (409)."""
    headers = {"idempotency-key": f"key-{number}"}
    async with asyncio.timeout(30):
        while True:
            answer = await client.post("books", json={"title": f"Book {number}"}, headers=headers)
            if answer.status_code != 409:
                return answer
            assert (answer.json()["code"], bool(answer.headers["retry-after"])) == ("CLN440", True)


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_each_key_has_one_effect_however_often_it_comes_at_once(database_url: str) -> None:
    """Reliability, idempotency, 10 at once: as many effects as keys, and identical bodies, from two that share nothing."""
    resources = [Resource(Book, routes=Routes(idempotent=True)), Resource(Publisher)]
    async with library(database_url, resources=resources) as one, library(database_url, resources=resources) as two:
        for number in range(KEYS):
            answers = await asyncio.gather(*[post(client, number) for client in (one, two) * (AT_ONCE // 2)])
            assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
        assert (await one.get("books?count=exact")).json()["total"] == KEYS
    note("idempotency key replayed", kind_of(database_url), keys=KEYS, at_once=AT_ONCE)


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
    for number in range(KILLS):
        code, _ = ask(database_url, str(number), f"{0.002 * (number % 50 + 1):.3f}")
        assert code in (0, -signal.SIGKILL)
        _, printed = ask(database_url, str(number))
        status, *_, total = printed.split()
        assert (status, int(total)) == ("201", number + 1)
