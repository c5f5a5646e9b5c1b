"""The planned statements that create or change many rows of one resource, ready for a driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

import sqlalchemy as sa

from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.models.facts import TableFacts
from colonnade.policy.access import Access
from colonnade.query.bulk import SIZES, plan_insert_arrays, plan_insert_rows, plan_update_rows, size_for
from colonnade.query.compile import CompiledStatement, Statement, compile_statement
from colonnade.query.selection import Selection
from colonnade.query.values import read_default
from colonnade.query.writes import plan_insert
from colonnade.services.blueprint import PlanCache

Values = Mapping[str, Any]


class ManyRows:
    """Makes statements for many rows of one table.

    Args:
        facts: the table.
        selection: what a changed row is given back as.
        access: of those who change them; None where nothing restricts them. What it binds is given with each change.
    """

    def __init__(self, facts: TableFacts, selection: Selection, access: Access | None = None) -> None:
        self._facts = facts
        self._selection = selection
        self._reach = [] if access is None else access.reach()
        self._plans = PlanCache()

    def insert(self, database: Database, items: Sequence[Values], bound: Values) -> list[Statement]:
        """Make the statements that create rows; together they give the rows back in the order of the items.

        Args:
            database: decides how: arrays on PostgreSQL, many rows in a statement elsewhere, and one row where none can be
                given back (MySQL).
            items: the values of each new row, by attribute.
            bound: what the access binds.
        """
        rows = self._completed(self._filled(items))
        if all(row.keys() == rows[0].keys() for row in rows):
            return self._insert_alike(database, tuple(rows[0]), rows, bound)
        made: list[Statement] = []
        for keys, alike in groupby(rows, tuple):
            made += self._insert_alike(database, keys, list(alike), bound)
        return made

    def _filled(self, items: Sequence[Values]) -> list[dict[str, Any]]:
        """Add what Python makes, as `TableFacts.fill` does for one row; all have one time."""
        now = utc_now()
        rows = [dict(item) for item in items]
        for key, column in self._facts.columns.items():
            if (make := column.default) is not None:
                for row in rows:
                    if key not in row:
                        row[key] = now if make is utc_now else make()
        return rows

    def update(self, database: Database, ids: Sequence[object], values: Values, bound: Values) -> list[Statement]:
        """Make the statements that give rows the same values; the last one gives back those that are there.

        Args:
            database: decides how.
            ids: of the rows.
            values: by attribute.
            bound: what the access binds.
        """
        stored = self._facts.fill(values, new=False)
        keys, count = tuple(stored), size_for(len(ids))
        name = database.dialect.name
        plans = self._plan(
            database,
            ("update", keys, count),
            lambda: plan_update_rows(self._facts, self._selection, keys, count, name, self._reach),
        )
        bound = {**bound, **{f"v_{key}": value for key, value in stored.items()}}
        bound |= {f"id_{index}": ids[min(index, len(ids) - 1)] for index in range(count)}
        return [plan.bind(bound) for plan in plans]

    def _insert_alike(
        self, database: Database, keys: tuple[str, ...], rows: Sequence[Values], bound: Values
    ) -> list[Statement]:
        dialect: Any = database.dialect
        if dialect.name == "postgresql":
            return self._insert_arrays(database, keys, rows, bound)
        if dialect.insert_returning:
            return self._insert_chunks(database, keys, rows, bound)
        plans = self._plan(
            database, ("insert", keys), lambda: plan_insert(self._facts, self._selection, keys, dialect.name)
        )
        given = [{**bound, **{f"v_{key}": value for key, value in row.items()}} for row in rows]
        return [plan.bind(values) for values in given for plan in plans]

    def _insert_arrays(
        self, database: Database, keys: tuple[str, ...], rows: Sequence[Values], bound: Values
    ) -> list[Statement]:
        (plan,) = self._plan(
            database, ("arrays", keys), lambda: [plan_insert_arrays(self._facts, self._selection, keys)]
        )
        return [plan.bind({**bound, **{f"v_{key}": [row[key] for row in rows] for key in keys}})]

    def _insert_chunks(
        self, database: Database, keys: tuple[str, ...], rows: Sequence[Values], bound: Values
    ) -> list[Statement]:
        one, width = self._plan_rows(database, keys, 1), len(keys)
        columns = [
            # The text has the columns in the table's order.
            _processed(process, [row[name[len("v_") : -len("_0")]] for row in rows])
            for name, process in zip(one.names[:width], one.processors, strict=False)
        ]
        behind = one.bind_from(width, bound)  # what RETURNING binds
        given = list(zip(*columns, strict=True))
        made: list[Statement] = []
        start = 0
        while start < len(rows):
            # A text of a thousand rows takes longer to make than ten statements of a hundred take to send.
            size = max(size for size in SIZES[:3] if size <= len(rows) - start)
            arguments = tuple(chain.from_iterable(given[start : start + size]))
            made.append(Statement(self._plan_rows(database, keys, size).sql, arguments + behind))
            start += size
        return made

    def _plan_rows(self, database: Database, keys: tuple[str, ...], size: int) -> CompiledStatement:
        (plan,) = self._plan(
            database, ("rows", keys, size), lambda: [plan_insert_rows(self._facts, self._selection, keys, size)]
        )
        return plan

    def _completed(self, rows: list[dict[str, Any]]) -> Sequence[Values]:
        """Give the rows the same columns, as far as their defaults are known, so that they go into one statement."""
        if all(row.keys() == rows[0].keys() for row in rows):
            return rows
        every = dict.fromkeys(key for row in rows for key in row)
        known = {key: read_default(self._facts.columns[key]) for key in every}
        usual = {key: value for key, value in known.items() if value is not None or self._is_null(key)}
        return [
            {key: row[key] if key in row else usual[key] for key in every if key in row or key in usual} for row in rows
        ]

    def _is_null(self, key: str) -> bool:
        column = self._facts.columns[key].column
        return column.server_default is None and bool(column.nullable)

    def _plan(
        self, database: Database, shape: object, make: Callable[[], list[sa.Executable]]
    ) -> list[CompiledStatement]:
        key = (database.driver_name, shape)
        found: Any = self._plans.get(key)
        if found is None:
            statements: list[Any] = make()
            found = self._plans[key] = [compile_statement(one, database.dialect) for one in statements]
        return found  # type: ignore[no-any-return]


def _processed(process: Callable[[Any], object] | None, values: list[Any]) -> list[object]:
    """Turn a column's values into the driver's form; the one time of a thousand new rows only once."""
    if process is None:
        return values
    done: list[object] = []
    last: Any = values[0]
    turned = process(last)
    for value in values:
        if value is not last:
            last, turned = value, process(value)
        done.append(turned)
    return done
