"""A real server of several processes, as `colonnade serve --workers` runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """Give a port of the loopback address that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving_workers(application: str, environment: Mapping[str, str], workers: int = 2) -> Iterator[int]:
    """Serve `module:attribute` of this checkout by so many processes, and give the port when each has answered.

    The application says by a header `x-process` which one does.
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
