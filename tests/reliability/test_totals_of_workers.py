"""Totals in two processes at once: what one of them writes shows in what the other one remembers."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from colonnade import Database
from colonnade.services import totals
from tests.house.tree import ROOT
from tests.library import Shelf, library, new_book

pytestmark = pytest.mark.anyio

# Writes as a client of the same application in a process of its own, a line of titles at a time.
PROGRAM = """
import asyncio, sys
from colonnade import Database
from tests.library import Shelf, library, new_book

async def main():
    async with library("", database=Database(sys.argv[1], metadata=Shelf.metadata)) as client:
        print("ready", flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            for title in line.split(","):
                await new_book(client, title)
            print("written", flush=True)

asyncio.run(main())
"""


@pytest.mark.databases("sqlite-file", "postgresql", "mariadb")
async def test_another_workers_writes_show_within_a_second(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S23: of two real processes one remembers a total, and tells of the other's writes a second later at most."""
    monkeypatch.setattr(totals, "LARGE", 0)
    monkeypatch.setattr(totals, "MAX_AGE", 0.2)  # the second that it is stands in tests/api/test_totals.py
    async with library("", database=Database(database_url, metadata=Shelf.metadata)) as client:
        for number in range(3):
            await new_book(client, f"ours {number}")
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, database_url]
        worker = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
        wanted = 3
        for titles in ("a,b", "c", "d,e,f"):
            assert (await client.get("books?page_size=1")).json()["total"] == wanted
            worker.stdin.write(f"{titles}\n".encode())
            assert await worker.stdout.readline() == b"written\n"
            wanted += len(titles.split(","))
            await asyncio.sleep(totals.MAX_AGE + 0.05)
        assert (await client.get("books?page_size=1")).json()["total"] == wanted
        worker.stdin.close()
        assert await worker.wait() == 0
