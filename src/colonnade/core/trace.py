"""What is known of one request while it is answered: its name, where it went, and what it cost so far.

The middleware makes one `Trace` a request and every room notes in it what only that room sees; log line, metrics and
headers are made of it at the end. One context variable leads to it, so that a statement run by a session deep inside an
application's own code counts like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter
from typing import Any, NamedTuple


class RanStatement(NamedTuple):
    """A statement that was run.

    Attributes:
        sql: as the driver got it, values left out.
        arguments: its values, positional or by name.
        seconds: from handing it over to having its rows.
    """

    sql: str
    arguments: Any
    seconds: float


class Trace:
    """One request.

    Attributes:
        request_id: its name.
        began: when (`time.perf_counter`).
        route: template of the route that took it, e.g. `/api/v1/users/{id}`; None before there is one.
        locate: finds `route` when somebody asks before it was noted.
        principal: `Principal.key` of who asks; empty for anybody.
        statements: how many were run.
        database_seconds: spent waiting for them; those that ran at the same time count each.
        access_seconds: spent on finding out who asks.
        ran: the statements themselves, where somebody wants to see them; None otherwise.
        status: of the answer; None as long as none has begun.
        ended: when its last byte was handed to the server; 0 before.
    """

    __slots__ = (
        "access_seconds",
        "began",
        "database_seconds",
        "ended",
        "locate",
        "principal",
        "ran",
        "request_id",
        "route",
        "statements",
        "status",
    )

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.began = perf_counter()
        self.route: str | None = None
        self.locate: Callable[[], str | None] | None = None
        self.principal = ""
        self.statements = 0
        self.database_seconds = 0.0
        self.access_seconds = 0.0
        self.ran: list[RanStatement] | None = None
        self.status: int | None = None
        self.ended = 0.0

    def place(self) -> str | None:
        """Give the route's template; None where no route took the request, or none has yet."""
        if self.route is None and self.locate is not None:
            self.route = self.locate()
        return self.route


TRACE = "colonnade.trace"
"""Where a request's trace stands in its ASGI scope, for what is as near to it."""

_current: ContextVar[Trace | None] = ContextVar("colonnade_trace", default=None)

current_trace = _current.get
"""Give the trace of the request that is being answered; None outside of any."""

set_trace = _current.set
"""Make a trace that of everything that the current task does from here on."""


def get_request_id() -> str | None:
    """Give the id of the request that is being answered, for a log line; None outside of any."""
    trace = _current.get()
    return None if trace is None else trace.request_id
