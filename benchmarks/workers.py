"""The contenders' worker processes: started on a free port, watched, and ended by their own id."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import httpx

from benchmarks.contenders import ADMIN, Contender
from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Worker:
    """One running contender."""

    contender: Contender
    process: subprocess.Popen[bytes]
    url: str
    log: IO[bytes]
    headers: dict[str, str] = field(default_factory=dict)

    def memory_mib(self) -> float:
        """What the worker occupies in memory now (its resident set)."""
        command = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.check_output(command)) / 1024

    def require_alive(self) -> None:
        """Raise `BenchmarkError` with the end of its log when the worker has died."""
        if self.process.poll() is not None:
            raise BenchmarkError(f"{self.contender.label} died: {self.last_words()}")

    def last_words(self) -> str:
        """The last lines that the worker logged."""
        self.log.seek(0)
        return "\n".join(self.log.read().decode(errors="replace").splitlines()[-15:])


@contextlib.contextmanager
def running(contender: Contender, database_url: str) -> Iterator[Worker]:
    """Start one worker, wait until it answers, and end it afterwards."""
    port = _free_port()
    environment = os.environ | contender.environment | {"DATABASE_URL": database_url}
    command = [sys.executable, "-m", "benchmarks.serve", contender.target, str(port)]
    with TemporaryFile() as log:
        # A session of its own: a Ctrl-C reaches the benchmark alone, which then ends its workers.
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
        worker = Worker(contender, process, f"http://127.0.0.1:{port}", log)
        try:
            _await_answer(worker)
            if contender.signs_in:
                worker.headers.update(_sign_in(worker))
            yield worker
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_answer(worker: Worker) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        worker.require_alive()
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{worker.url}/api/v1/users/1", timeout=2)
            return
        time.sleep(0.05)
    raise BenchmarkError(f"{worker.contender.label} did not answer within {START_SECONDS} s: {worker.last_words()}")


def _sign_in(worker: Worker) -> dict[str, str]:
    form = {"username": ADMIN["ADMIN_EMAIL"], "password": ADMIN["ADMIN_PASSWORD"]}
    answer = httpx.post(f"{worker.url}/api/v1/auth/token", data=form, timeout=10)
    if answer.status_code != 200:
        raise BenchmarkError(f"{worker.contender.label} lets nobody in: {answer.text}")
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()
