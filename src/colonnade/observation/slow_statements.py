"""Statements that took long, logged with how the database runs them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from colonnade.core.trace import RanStatement, current_trace, set_trace
from colonnade.database.database import Database
from colonnade.database.plans import explain, without_values

AGAIN_SECONDS = 60.0
"""A statement's plan is asked for once in so long."""

_MAX_KNOWN = 200
_log = logging.getLogger("colonnade.database")


class SlowStatements:
    """A listener of a `StatementWatch`: logs what took longer than a limit, with its plan and without its values.

    The plan is made afterwards, by EXPLAIN without ANALYZE, one at a time, so that a database that is slow as a whole does
    not get slower by being asked why.

    Args:
        database: whose statements they are.
        limit: seconds.
    """

    def __init__(self, database: Database, limit: float) -> None:
        self._database = database
        self._limit = limit
        self._planned: OrderedDict[str, float] = OrderedDict()
        self._planning: asyncio.Task[None] | None = None

    def __call__(self, sql: str, arguments: Any, seconds: float) -> None:
        """Look at a statement that has ended."""
        if seconds < self._limit:
            return
        ran = RanStatement(sql, arguments, seconds)
        if self._planning is None and self._is_due(ran.sql):
            try:
                self._planning = asyncio.get_running_loop().create_task(self._explain(ran))
            except RuntimeError:  # a sync session's, on a thread
                self._tell(ran, None)
            return
        self._tell(ran, None)

    async def close(self) -> None:
        """Leave a plan that is being made; when this returns, it has given its connection back."""
        if (planning := self._planning) is not None:
            planning.cancel()
            await asyncio.wait([planning])

    def _is_due(self, sql: str) -> bool:
        now = time.monotonic()
        if now - self._planned.get(sql, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return False
        self._planned[sql] = now
        if len(self._planned) > _MAX_KNOWN:
            self._planned.popitem(last=False)
        return True

    async def _explain(self, ran: RanStatement) -> None:
        trace = current_trace()
        set_trace(None)  # of this task alone: what is asked here is no part of the request
        try:
            plan = without_values(await explain(self._database, ran.sql, ran.arguments))
        except (SQLAlchemyError, OSError):
            plan = None  # the statement itself is worth its line
        finally:
            set_trace(trace)
            self._planning = None
        self._tell(ran, plan)

    def _tell(self, ran: RanStatement, plan: object) -> None:
        told = {"sql": ran.sql, "ms": round(ran.seconds * 1e3, 1)}
        _log.warning("slow statement", extra=told if plan is None else {**told, "plan": plan})
