"""SIGKILL between the commit of a new user and the welcome mail: the mail goes out all the same, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import anyio
import anyio.to_thread
import pytest

from tests.house.tree import ROOT
from tests.mailbox import mailbox

# The reference application answers one request, and is killed when the answer would leave.
PROGRAM = """
import asyncio, os, signal
import httpx
from app.main import app

async def dying(scope, receive, send):
    async def last(message):
        if message["type"] == "http.response.start":
            assert message["status"] == 201, message
            os.kill(os.getpid(), signal.SIGKILL)
        await send(message)
    await app(scope, receive, last)

async def main():
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(dying), base_url="http://localhost/api/") as client:
            body = {"email": "ada@example.com", "username": "ada", "password": "analytical-1843", "full_name": "Ada L"}
            await client.post("users", json=body)

asyncio.run(main())
"""


def started(*command: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start Python in the checkout."""
    return subprocess.Popen([sys.executable, "-W", "ignore", *command], cwd=ROOT, env=os.environ | environment)


@pytest.mark.anyio
@pytest.mark.databases("sqlite-file", "postgresql")
async def test_a_crash_does_not_lose_the_welcome_mail(database_url: str) -> None:
    """S27: the row of the mail is committed with the user's; whichever worker comes next sends it, and only one does."""
    async with mailbox() as box:
        settings = {"DATABASE_URL": database_url, "SMTP_URL": box.url, "ENV": "development", "JOBS": "off"}
        killed = started("-c", PROGRAM, **settings)
        assert await anyio.to_thread.run_sync(killed.wait, 60) == -signal.SIGKILL
        assert box.messages == []
        workers = [started("-m", "colonnade.cli", "worker", **settings) for _ in range(2)]
        try:
            with anyio.fail_after(60):
                while not box.messages:
                    await anyio.sleep(0.05)
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            for worker in workers:
                await anyio.to_thread.run_sync(worker.wait, 60)
        finally:
            for worker in workers:
                worker.kill()
        (message,) = box.messages
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Welcome, Ada L")
