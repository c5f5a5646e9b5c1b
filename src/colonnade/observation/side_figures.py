"""The figures of the side rooms: cache, limits, jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from colonnade.cache import Answers
from colonnade.database.database import Database
from colonnade.jobs.inspection import job_counts, overdue_jobs
from colonnade.limits.limits import Limits
from colonnade.observation.figures import Figure


def cache_figures(answers: Answers) -> Iterator[Figure]:
    """Count the cached answers that were found, and those that had to be made."""
    asked = Figure("cache_answers", "counter", "Answers asked of the cache, by what came of it.", ("result",))
    asked.add(answers.hits, "hit")
    asked.add(answers.misses, "miss")
    yield asked


def limit_figures(limits: Limits) -> Iterator[Figure]:
    """Count the requests that were refused, by the limit, and tell whether limits are counted where they should be."""
    refused = Figure("rate_limit_refusals", "counter", "Requests that were refused by a limit.", ("limit",))
    for limit in limits.known():
        refused.add(limit.refused, limit.name)
    yield refused
    away = Figure(
        "rate_limit_storage_away", "gauge", "Processes that count for themselves: the shared storage is away."
    )
    away.add(int(limits.is_storage_away))
    yield away


async def job_figures(database: Database) -> Sequence[Figure]:
    """Count the jobs that are not done, of all processes together (two statements)."""
    jobs = Figure("jobs", "gauge", "Jobs that are not done, by their state.", ("state",))
    for state, count in (await job_counts(database)).items():
        jobs.add(count, state)
    overdue = Figure("jobs_overdue", "gauge", "Jobs due for a minute and more that no worker has taken.", ("name",))
    for name, count in (await overdue_jobs(database)).items():
        overdue.add(count, name)
    return [jobs, overdue]
