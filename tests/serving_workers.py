"""A real server of several processes, as `colonnade serve --workers` runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
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
    """Serve `module:attribute` of this checkout by so many processes, and give the port."""
    port = free_port()
    command = [sys.executable, "-m", "colonnade.cli", "serve", "--app", application, "--port", str(port)]
    served = subprocess.Popen(
        [*command, "--workers", str(workers)],
        cwd=ROOT,
        env={**os.environ, "LOG_LEVEL": "error", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until_it_answers(served, port)
        yield port
    finally:
        served.send_signal(signal.SIGTERM)
        served.communicate(timeout=30)


def _wait_until_it_answers(served: subprocess.Popen[str], port: int) -> None:
    for _ in range(600):
        if served.poll() is not None:
            raise RuntimeError(served.communicate()[0])
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                probe.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                if probe.recv(12) == b"HTTP/1.1 200":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError
