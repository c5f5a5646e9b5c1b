"""The load generator's process: wrk where it is installed, `benchmarks.load` elsewhere."""

from __future__ import annotations

import itertools
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.data import ROWS
from benchmarks.errors import BenchmarkError
from benchmarks.workers import ROOT, Worker
from benchmarks.workloads import CONNECTIONS, Run

_SCRIPT = Path(__file__).with_name("workload.lua")
_seeds = itertools.count(1)


def name() -> str:
    """Which load generator this machine has."""
    return "wrk" if shutil.which("wrk") else "benchmarks.load (wrk is not installed)"


def run(worker: Worker, workload: str, seconds: float, threads: int) -> Run:
    """Load one worker for some seconds; anything but 2xx answers is a `BenchmarkError`."""
    arguments = [workload, str(ROWS), str(next(_seeds))]
    wrk = shutil.which("wrk")
    command = _wrk(wrk, worker, seconds, threads) if wrk else _own(worker, seconds)
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    worker.require_alive()
    seen = Run(**json.loads(_last_line(done)))
    if seen.refused or seen.broken or not seen.requests:
        raise BenchmarkError(f"{worker.contender.label}, {workload}: {seen}; {worker.last_words()}")
    return seen


def _wrk(wrk: str, worker: Worker, seconds: float, threads: int) -> list[str]:
    # wrk counts in whole seconds.
    duration = f"{max(1, math.ceil(seconds))}s"
    connections = str(CONNECTIONS)
    options = ["-t", str(threads), "-c", connections, "-d", duration, "--timeout", "30s", "-s", str(_SCRIPT)]
    for name, value in worker.headers.items():
        options += ["-H", f"{name}: {value}"]
    return [wrk, *options, worker.url, "--"]


def _own(worker: Worker, seconds: float) -> list[str]:
    headers = "".join(f"{name}: {value}\r\n" for name, value in worker.headers.items())
    return [sys.executable, "-m", "benchmarks.load", worker.url, str(seconds), headers]


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise BenchmarkError(f"the load generator failed: {(done.stderr or done.stdout)[-2000:]}")
    return lines[-1]
