"""The figures of jobs: how many wait, run, or were given up."""

from __future__ import annotations

from collections.abc import Sequence

from colonnade.database.database import Database
from colonnade.jobs.inspection import job_counts
from colonnade.observation.figures import Figure


async def job_figures(database: Database) -> Sequence[Figure]:
    """Count the jobs that are not done, of all processes together (one statement)."""
    jobs = Figure("jobs", "gauge", "Jobs that are not done, by their state.", ("state",))
    for state, count in (await job_counts(database)).items():
        jobs.add(count, state)
    return [jobs]
