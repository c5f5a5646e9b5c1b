"""The measuring itself: everybody in turn, round after round, on one database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from benchmarks import generator
from benchmarks.answers import verify
from benchmarks.bars import Results
from benchmarks.contenders import COLONNADE, contenders
from benchmarks.errors import BenchmarkError
from benchmarks.observer import settle, stored_changes
from benchmarks.tables import prepare
from benchmarks.urls import dialect
from benchmarks.workers import Worker, running
from benchmarks.workloads import PATCH, WORKLOADS, Pace, Run

# The guides read a version and write it back: two requests that meet on one user may count as one change.
_KEPT = 0.99

Say = Callable[[str], None]


def measure(database_url: str, pace: Pace, say: Say) -> Results:
    """Fill an empty database, start every contender on it, check them, and load them in turn.

    Turns alternate (A B C, A B C, ...), so that a slow minute of the machine meets everybody.
    """
    results = Results(dialect(database_url))
    prepare(database_url)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(running(one, database_url)) for one in contenders(results.dialect)]
        for worker in workers:
            verify(worker, database_url)
        for number in range(pace.rounds):
            for workload in WORKLOADS:
                for worker in workers:
                    if number == 0:
                        generator.run(worker, workload, pace.warm_up, pace.threads)
                    run = _turn(worker, workload, database_url, pace)
                    say(f"round {number + 1}, {workload}: {worker.contender.name} {run.rate:,.0f}/s")
                    results.add(worker.contender.name, workload, run)
        for worker in workers:
            verify(worker, database_url)
            if worker.contender is COLONNADE:
                results.memory_mib = worker.memory_mib()
    return results


def _turn(worker: Worker, workload: str, database_url: str, pace: Pace) -> Run:
    settle(database_url)
    if workload != PATCH:
        return generator.run(worker, workload, pace.seconds, pace.threads)
    before = stored_changes(database_url)
    run = generator.run(worker, workload, pace.seconds, pace.threads)
    stored = stored_changes(database_url) - before
    if stored < run.requests * _KEPT:
        raise BenchmarkError(f"{worker.contender.label} answered {run.requests} changes and stored {stored}")
    return run
