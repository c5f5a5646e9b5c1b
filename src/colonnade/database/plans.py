"""How the database would run a statement, or did: EXPLAIN, in each dialect's words."""

from __future__ import annotations

import json
import re
from typing import Any

from colonnade.database.database import Database

_EXPLAIN = {
    "postgresql": "EXPLAIN (FORMAT JSON)",
    "mariadb": "EXPLAIN FORMAT=JSON",
    "mysql": "EXPLAIN FORMAT=JSON",
    "sqlite": "EXPLAIN QUERY PLAN",
}
_ANALYZE = {
    "postgresql": "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)",
    "mariadb": "ANALYZE FORMAT=JSON",
    "mysql": "EXPLAIN ANALYZE",
    "sqlite": "EXPLAIN QUERY PLAN",  # it has nothing that measures
}
_PLANNED = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_READ = re.compile(r"\s*SELECT\b", re.IGNORECASE)

# PostgreSQL and MariaDB show in a plan the values that a statement was asked with.
_VALUES = re.compile(r"'(?:[^']|'')*'|(?<![\w.\"$])-?\d+(?:\.\d+)?(?![\w\"])")
_CONDITION = re.compile(r"cond|filter|condition|ranges|key", re.IGNORECASE)


async def explain(database: Database, sql: str, arguments: Any, *, analyze: bool = False) -> Any:
    """Ask how a statement is run; on a connection of its own, in a transaction that is rolled back.

    Args:
        database: that ran it.
        sql: as the driver got it.
        arguments: its values, as the driver got them.
        analyze: run a SELECT again and measure it; anything else is only planned.

    Returns:
        What the database says: on SQLite a list of lines, elsewhere its JSON document; None for a statement that has no
        plan.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refused, or is away.
    """
    if not _PLANNED.match(sql):
        return None
    name = database.dialect.name
    if name == "mysql" and getattr(database.dialect, "is_mariadb", False):
        name = "mariadb"
    words = (_ANALYZE if analyze and _READ.match(sql) else _EXPLAIN)[name]
    engine = database.engine.execution_options(read_only=True)
    async with engine.connect() as connection:
        result = await connection.exec_driver_sql(f"{words} {sql}", arguments or None)
        rows = result.fetchall()
    return _shown(name, rows)


def without_values(plan: Any) -> Any:
    """Replace the values in a plan's conditions by question marks, as it has to be for a log."""
    if isinstance(plan, dict):
        return {
            name: _VALUES.sub("?", value)
            if isinstance(value, str) and _CONDITION.search(name)
            else without_values(value)
            for name, value in plan.items()
        }
    return [without_values(part) for part in plan] if isinstance(plan, list) else plan


def _shown(dialect: str, rows: Any) -> Any:
    if dialect == "sqlite":
        return [row[-1] for row in rows]
    plan = rows[0][0]
    if not isinstance(plan, str):
        return plan
    try:
        return json.loads(plan)
    except ValueError:
        return plan.splitlines()  # MySQL's EXPLAIN ANALYZE is a drawing
