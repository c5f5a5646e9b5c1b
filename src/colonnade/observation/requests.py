"""Requests that have ended: counted by route, method and status, and written to the log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

from colonnade.core.measures import REQUEST_SECONDS, Histogram
from colonnade.core.trace import Trace
from colonnade.observation.figures import Figure
from colonnade.observation.request_log import RequestLine, RequestLog

CLIENT_LEFT = 499
"""In the place of a status where the client left before there was one, as nginx has it."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestWatch:
    """Told of each request when it has ended.

    Args:
        log: gets a line for each; None for none.
        least_status: lines of requests below it are not written.
    """

    def __init__(self, log: RequestLog | None, least_status: int = 0) -> None:
        self._log = log
        self._least_status = least_status
        self._durations: dict[tuple[str, str | None, int], Histogram] = {}

    def __call__(self, scope: Mapping[str, Any], trace: Trace) -> None:
        """Count a request, and log it."""
        method, status = scope["method"], trace.status or CLIENT_LEFT
        route = trace.route or trace.place()
        seconds = (trace.ended or perf_counter()) - trace.began
        durations = self._durations.get((method, route, status)) or self._begin(method, route, status)
        durations.observe(seconds)
        if self._log is not None and status >= self._least_status:
            self._log.add(
                RequestLine(
                    time.time(),
                    trace.request_id,
                    method,
                    route,
                    scope["path"],
                    status,
                    seconds,
                    trace.statements,
                    trace.principal,
                )
            )

    def close(self) -> None:
        """Write what is not written yet."""
        if self._log is not None:
            self._log.flush()

    def figures(self) -> Iterator[Figure]:
        """Give the number of requests by route, method and status, and their durations by route and method."""
        count = Figure("http_requests", "counter", "Requests that were answered.", ("method", "route", "status"))
        durations = Figure(
            "http_request_duration_seconds",
            "histogram",
            "From the request's head to the last byte of the answer.",
            ("method", "route"),
            bounds=REQUEST_SECONDS,
        )
        for (method, route, status), histogram in list(self._durations.items()):
            count.add(histogram.count, method, route or "", str(status))
            durations.add_histogram(histogram, method, route or "")
        yield count
        yield durations

    def _begin(self, method: str, route: str | None, status: int) -> Histogram:
        # A method can be any word that a client thinks of, and each would be a series of its own for ever.
        known = method if method in _METHODS else "other"
        return self._durations.setdefault((known, route, status), Histogram(REQUEST_SECONDS))
