"""The planned statements that create or change many rows of one resource, ready for a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
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
Columns = Mapping[str, list[Any]]


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
        now = utc_now()
        made: list[Statement] = []
        for alike in self._alike(items, now):
            made += self._insert_alike(database, self._columns(alike, now), bound)
        return made

    def _alike(self, items: Sequence[Values], now: datetime) -> Iterator[Sequence[Values]]:
        """Part items into runs that give the same fields: into one, as far as the defaults of the others are known."""
        if all(item.keys() == items[0].keys() for item in items):
            yield items
            return
        rows = self._completed([self._facts.fill(item, new=True, now=now) for item in items])
        for _, alike in groupby(rows, lambda row: row.keys()):
            yield list(alike)

    def _columns(self, items: Sequence[Values], now: datetime) -> Columns:
        """Turn items that give the same fields into columns, and add what Python makes, as `TableFacts.fill` does."""
        columns = {key: [item[key] for item in items] for key in items[0]}
        for key, column in self._facts.columns.items():
            if key not in columns and (make := column.default) is not None:
                columns[key] = [now] * len(items) if make is utc_now else [make() for _ in items]
        return columns

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

    def _insert_alike(self, database: Database, columns: Columns, bound: Values) -> list[Statement]:
        dialect: Any = database.dialect
        if dialect.name == "postgresql":
            return self._insert_arrays(database, columns, bound)
        if dialect.insert_returning:
            return self._insert_chunks(database, columns, bound)
        plans = self._plan(
            database,
            ("insert", tuple(columns)),
            lambda: plan_insert(self._facts, self._selection, tuple(columns), dialect.name),
        )
        names = [f"v_{key}" for key in columns]
        given = [{**bound, **dict(zip(names, row, strict=True))} for row in zip(*columns.values(), strict=True)]
        return [plan.bind(values) for values in given for plan in plans]

    def _insert_arrays(self, database: Database, columns: Columns, bound: Values) -> list[Statement]:
        (plan,) = self._plan(
            database,
            ("arrays", tuple(columns)),
            lambda: [plan_insert_arrays(self._facts, self._selection, tuple(columns))],
        )
        return [plan.bind({**bound, **{f"v_{key}": values for key, values in columns.items()}})]

    def _insert_chunks(self, database: Database, columns: Columns, bound: Values) -> list[Statement]:
        keys, width = tuple(columns), len(columns)
        one = self._plan_rows(database, keys, 1)
        # The text has the columns in the table's order.
        ordered = [columns[name.removeprefix("v_").removesuffix("_0")] for name in one.names[:width]]
        processed = [_processed(*pair) for pair in zip(one.processors, ordered, strict=False)]
        behind = one.bind_from(width, bound)  # what RETURNING binds
        given = list(zip(*processed, strict=True))
        made: list[Statement] = []
        start = 0
        while start < len(given):
            # A text of a thousand rows takes longer to make than ten statements of a hundred take to send.
            size = max(size for size in SIZES[:3] if size <= len(given) - start)
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
