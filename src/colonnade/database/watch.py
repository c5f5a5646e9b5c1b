"""Watching the statements of a database: on the compiled way, and in sessions and connections of SQLAlchemy's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from colonnade.core.measures import STATEMENT_SECONDS, Histogram
from colonnade.core.trace import RanStatement, current_trace
from colonnade.database.comments import BEGINS
from colonnade.database.driver import Statement

# Below SQLAlchemy's own, so that one line of logging configuration shows what sessions and the compiled way run (S55).
_log = logging.getLogger("sqlalchemy.engine.compiled")

Listener = Callable[[str, Any, float], None]
"""Takes a statement's text, its values, and the seconds that it took."""


class StatementWatch:
    """Counts the statements of one database, for its figures and for the request that caused them.

    Costs a microsecond a statement.

    Args:
        echo: log what the compiled way runs; SQLAlchemy logs what sessions run.
        show_values: log the statements' values too.

    Attributes:
        durations: of all statements.
        listeners: called with each statement once it has ended, on its own thread; they must not raise, and are quick.
    """

    def __init__(self, *, echo: bool = False, show_values: bool = False) -> None:
        self.durations = Histogram(STATEMENT_SECONDS)
        self.listeners: list[Listener] = []
        self._echo = echo
        self._show_values = show_values

    def ended(self, sql: str, arguments: Any, began: float) -> None:
        """Count a statement that has ended, well or not.

        Args:
            sql: its text.
            arguments: its values.
            began: when it did (`time.perf_counter`).
        """
        self._count(sql, arguments, perf_counter() - began)

    def _count(self, sql: str, arguments: Any, seconds: float) -> None:
        self.durations.observe(seconds)
        trace = current_trace()
        if trace is not None:
            trace.statements += 1
            trace.database_seconds += seconds
            if trace.ran is not None:
                trace.ran.append(RanStatement(sql, arguments, seconds))
        for listener in self.listeners:
            listener(sql, arguments, seconds)

    def ended_together(self, statements: Sequence[Statement], began: float) -> None:
        """Count the statements of one transaction, its time shared out among them."""
        share = (perf_counter() - began) / len(statements) if statements else 0.0
        for statement in statements:
            self._count(statement.sql, statement.arguments, share)

    def echo(self, statement: Statement) -> None:
        """Log a statement of the compiled way, by the switch or by logging configuration (S55)."""
        if self._echo or _log.isEnabledFor(logging.INFO):
            values = statement.arguments if self._show_values else f"[{len(statement.arguments)} values hidden]"
            # By hand, since the switch counts whatever the loggers' levels are, as SQLAlchemy's own does.
            said = (statement.sql, values)
            _log.handle(_log.makeRecord(_log.name, logging.INFO, __file__, 0, "%s %s", said, None))


def watch_statements(engine: sa.Engine, watch: StatementWatch) -> None:
    """Have a watch count what sessions and connections of an engine run."""

    @event.listens_for(engine, "before_cursor_execute")
    def _begin(_connection: Any, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
        context.colonnade_began = perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def _end(_connection: Any, _cursor: Any, sql: str, values: Any, context: Any, _many: bool) -> None:
        if not sql.startswith(BEGINS):
            watch.ended(sql, values, context.colonnade_began)
        context.colonnade_began = None  # what fails from here on, fetching its rows, has been counted

    @event.listens_for(engine, "handle_error")
    def _fail(failed: Any) -> None:
        began = getattr(failed.execution_context, "colonnade_began", None)
        if began is not None:
            watch.ended(failed.statement or "", failed.parameters, began)
