"""Statements that say where they come from: the route stands in a comment, for whoever looks at the database's own views.

Written as sqlcommenter has it (https://google.github.io/sqlcommenter/spec/). One statement has one text per route, and no
more: what is prepared stays prepared.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from colonnade.core.trace import current_trace

BEGINS = ("BEGIN", "START TRANSACTION")
"""How a transaction begins where we begin it by a statement: on SQLite, and on MariaDB one that only reads.

Others send the like without being asked, so that it neither counts as a statement nor says where it comes from.
"""

# A per cent sign would be a placeholder to some drivers, and sqlcommenter's own escapes are made of them.
_FIT = re.compile(r"[\w/{}.:~-]+").fullmatch


def commented(sql: str) -> str:
    """Add the route of the request that is being answered to a statement; without one it stays as it is."""
    trace = current_trace()
    route = None if trace is None else trace.place()
    return sql if route is None else _commented(sql, route)


@lru_cache(maxsize=4096)
def _commented(sql: str, route: str) -> str:
    return f"{sql} /*route='{route}'*/" if _FIT(route) else sql


def comment_statements(engine: sa.Engine) -> None:
    """Have the statements of an engine's sessions and connections commented too."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _comment(_connection: Any, _cursor: Any, sql: str, values: Any, _context: Any, _many: bool) -> tuple[str, Any]:
        return (sql if sql.startswith(BEGINS) else commented(sql)), values
