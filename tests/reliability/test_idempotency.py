"""Requests with an `Idempotency-Key`, many at once and killed in between: repeated, each has one effect and one answer."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import Self

import httpx
import pytest

from colonnade import Resource, Routes
from tests.house.tree import ROOT
from tests.library import Book, Publisher, library
from tests.reliability.figures import kind_of, note, times

KEYS, AT_ONCE = times(10, 10_000), 10
KILLS = times(3, 500)

# For each line of its input, a key and a death, a process of its own serves one request, and may die at some point of it:
# before the answer leaves, or so many seconds in. It is forked, since what is imported costs a second of processor time.
PROGRAM = """
import asyncio, os, signal, sys, threading
from colonnade import Database, Resource, Routes
from tests.library import Book, Publisher, Shelf, client_of, library_app

def dying(app, death):
    async def around(scope, receive, send):
        async def last(message):
            if death == "answer" and message["type"] == "http.response.start":
                os.kill(os.getpid(), signal.SIGKILL)
            await send(message)
        await app(scope, receive, last)
    return around

async def main(key, death):
    books = Resource(Book, routes=Routes(idempotent=True))
    app = library_app(Database(sys.argv[1], metadata=Shelf.metadata), None, [books, Resource(Publisher)])
    async with app.router.lifespan_context(app), client_of(dying(app, death)) as client:
        if death[:1].isdigit():
            threading.Timer(float(death), os.kill, (os.getpid(), signal.SIGKILL)).start()
        answer = await client.post("books", json={"title": key}, headers={"idempotency-key": key})
        rows = (await client.get("books?count=exact")).json()
        told = f"{answer.status_code} {answer.headers.get('idempotency-replayed')} {answer.json()['id']} {rows['total']}"
        os.write(1, told.encode())

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            asyncio.run(main(*line.split()))
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    os.write(1, f"|{os.waitstatus_to_exitcode(status)}\\n".encode())
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


class Mortal:
    """Asks a process for each request, and for its death; `with Mortal(url) as ask: ask("key", "answer")`."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, url]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.communicate()

    def __call__(self, key: str, death: str = "never") -> tuple[int, str]:
        """Give the exit code of the process, and what it told: status, replayed, id, rows."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(f"{key} {death}\n")
        told, _, code = self._parent.stdout.readline().partition("|")
        assert int(code) in (0, -signal.SIGKILL)
        return int(code), told


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
def test_a_kill_between_commit_and_answer(database_url: str) -> None:
    """Reliability, idempotency with kills: what was committed is answered to the repeated request, and not done again."""
    with Mortal(database_url) as ask:
        assert ask("key", "answer") == (-signal.SIGKILL, "")
        assert ask("key") == (0, "201 true 1 1")
        assert ask("key") == (0, "201 true 1 1")


@pytest.mark.databases("sqlite-file", "postgresql")
def test_a_kill_at_any_moment(database_url: str) -> None:
    """Reliability, idempotency with kills: as many effects as keys, wherever the process died."""
    with Mortal(database_url) as ask:
        for number in range(KILLS):
            ask(str(number), f"{0.002 * (number % 50 + 1):.3f}")
            _, told = ask(str(number))
            status, *_, total = told.split()
            assert (status, int(total)) == ("201", number + 1)
