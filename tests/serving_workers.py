"""A real server of several processes, as `colonnade serve --workers` runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROOT = Path(__file__).parents[1]
PROCESS = (b"x-process", str(os.getpid()).encode())


class Named:
    """An application whose answers carry the id of its process."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with a header more (ASGI)."""

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], PROCESS]
            await send(message)

        await self.app(scope, receive, send_named)


def free_port() -> int:
    """Give a port of the loopback address that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving_workers(application: str, environment: Mapping[str, str], workers: int = 2) -> Iterator[int]:
    """Serve `module:attribute` of this checkout by so many processes, and give the port when each has answered.

    The application says by a header `x-process` which one does (`Named`).
    """
    port = free_port()
    command = [sys.executable, "-m", "colonnade.cli", "serve", "--app", application, "--port", str(port)]
    # Where bytecode is not kept, as in many containers, each process would compile everything anew.
    ours = {"PYTHONDONTWRITEBYTECODE": "", "LOG_LEVEL": "error"}
    served = subprocess.Popen(
        [*command, "--workers", str(workers)],
        cwd=ROOT,
        env={**os.environ, **ours, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until_all_answer(served, port, workers)
        yield port
    finally:
        served.send_signal(signal.SIGTERM)
        served.communicate(timeout=60)


def _wait_until_all_answer(served: subprocess.Popen[str], port: int, workers: int) -> None:
    seen = set()
    for _ in range(2_400):
        if served.poll() is not None:
            raise RuntimeError(served.communicate()[0])
        with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            if answer.status == 200:
                seen.add(answer.headers["x-process"])
        if len(seen) == workers:
            return
        time.sleep(0.05)
    raise TimeoutError


@asynccontextmanager
async def connected(url: str, workers: int = 2, each: int = 4) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Give clients of one connection each, so many of each worker, in turn; an idle process may take whatever comes."""
    kept: dict[str, list[httpx.AsyncClient]] = {}
    async with AsyncExitStack() as stack:
        while len(kept) < workers or min(map(len, kept.values())) < each:
            client = httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=1))
            stack.push_async_callback(client.aclose)
            process = (await client.get("/health")).headers["x-process"]
            if len(kept.setdefault(process, [])) < each:
                kept[process].append(client)
            else:
                await client.aclose()
        yield [client for several in zip(*kept.values(), strict=True) for client in several]
