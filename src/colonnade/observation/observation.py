"""Everything that one application lets be seen of itself, put together from its settings."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from colonnade.cache import Answers
from colonnade.core.settings import Settings
from colonnade.database.database import Database
from colonnade.limits.limits import Limits
from colonnade.observation.database_figures import database_figures
from colonnade.observation.figures import Figures
from colonnade.observation.logs import configure_logging
from colonnade.observation.process_figures import process_figures
from colonnade.observation.request_log import RequestLog
from colonnade.observation.requests import RequestWatch
from colonnade.observation.side_figures import cache_figures, job_figures, limit_figures
from colonnade.observation.slow_statements import SlowStatements
from colonnade.observation.workers import Workers

_LEAST_STATUS = {"debug": 0, "info": 0, "warning": 500, "error": 500}


class Observation:
    """What is watched in one application.

    Args:
        settings: `log_format`, `log_level`, `slow_statement` and `metrics_dir` are read.
        database: whose figures are told.

    Attributes:
        requests: told of each request when it has ended.
        figures: what `/metrics` tells.
        workers: the figures of the other processes.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        least = _LEAST_STATUS.get(settings.log_level)
        self.requests = RequestWatch(None if least is None else RequestLog(settings.log_format), least or 0)
        self.figures = Figures()
        self.figures.sources += [self.requests.figures, partial(database_figures, database), process_figures]
        self._database = database
        self.workers = Workers(settings.metrics_dir, self.figures)

    def watch(self, limits: Limits, answers: Answers | None, *, has_jobs: bool) -> None:
        """Have the figures of the side rooms told, of those that the application has."""
        self.figures.sources.append(partial(limit_figures, limits))
        if answers is not None:
            self.figures.sources.append(partial(cache_figures, answers))
        if has_jobs:
            self.figures.shared.append(partial(job_figures, self._database))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Set up the log, keep the other processes informed, and write everything down at the end."""
        configure_logging(self._settings)
        writing = asyncio.create_task(self.workers.keep_writing())
        try:
            yield
        finally:
            writing.cancel()
            self.workers.write(ending=True)
            self.requests.close()

    @asynccontextmanager
    async def explaining(self) -> AsyncIterator[None]:
        """Log slow statements with their plans, which the database is asked for: leave this before that is disposed of."""
        slow = SlowStatements(self._database, self._settings.slow_statement or math.inf)
        self._database.watch.listeners.append(slow)
        try:
            yield
        finally:
            self._database.watch.listeners.remove(slow)
            await slow.close()
