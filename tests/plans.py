"""What a database would do for the statements that a request runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from colonnade import Database


@contextmanager
def noted(database: Database) -> Iterator[list[Any]]:
    """Note the reads of the compiled way inside the block."""
    ran: list[Any] = []
    fetch = database.driver.fetch

    async def noting(statement: Any) -> Any:
        ran.append(statement)
        return await fetch(statement)

    database.driver.fetch = noting  # type: ignore[method-assign]
    try:
        yield ran
    finally:
        database.driver.fetch = fetch  # type: ignore[method-assign]


async def plan_of(database: Database, statement: Any) -> str:
    """Explain a statement, by statistics of its tables as they are now."""
    explain = "EXPLAIN QUERY PLAN" if database.dialect.name == "sqlite" else "EXPLAIN"
    async with database.engine.begin() as connection:
        rows = await connection.exec_driver_sql(f"{explain} {statement.sql}", statement.arguments)
        return "\n".join(" ".join(map(str, row)) for row in rows)


async def rows_read(database: Database, statement: Any) -> int:
    """Run a statement and tell the most rows that a part of it read; SQLite tells only whether a part sorts them all."""
    if database.dialect.name == "sqlite":
        return 1 << 31 if _sorts_all(await plan_of(database, statement)) else 0
    words = "EXPLAIN ANALYZE" if database.dialect.name == "postgresql" else "ANALYZE"
    async with database.engine.begin() as connection:
        if database.dialect.name == "postgresql":
            await connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")  # a small table is in memory
        result = await connection.exec_driver_sql(f"{words} {statement.sql}", statement.arguments)
        rows = [dict(row) for row in result.mappings()]
    if database.dialect.name != "postgresql":
        return max(int(float(row["r_rows"] or 0)) for row in rows)
    text = "\n".join(row["QUERY PLAN"] for row in rows)
    found = re.findall(r"actual [^)]*rows=([\d.]+)|Rows Removed by Filter: (\d+)", text)
    return max(int(float(one or other)) for one, other in found)


def _sorts_all(plan: str) -> bool:
    """Tell whether more is sorted than the pages that the stretches of a step gave together."""
    return "RIGHT PART" in plan or plan.count("B-TREE") > plan.count("LIST SUBQUERY")


async def analyze(database: Database, table: str) -> None:
    """Have the database look at what is in a table."""
    words = "ANALYZE TABLE" if database.dialect.name in {"mysql", "mariadb"} else "ANALYZE"
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql(f"{words} {table}")
