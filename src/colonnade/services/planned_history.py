"""Recording planned changes of single rows: by statements of the same transaction, made of what those before them gave.

No session is opened for it. The row is read under its lock by the first statement; what became of it is given back by the
planned change itself, or read once more where that only hides the row or removes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import sqlalchemy as sa

from colonnade.core.trace import get_request_id
from colonnade.database.database import Database
from colonnade.database.driver import Follow, Outcome, Statement
from colonnade.models.facts import TableFacts
from colonnade.models.history import HISTORY
from colonnade.query.compile import compile_statement
from colonnade.query.selection import Selection
from colonnade.query.shape import Row
from colonnade.query.wire import Converter, key_converter_of
from colonnade.schemas.projection import Projection
from colonnade.services.change_plans import ChangePlans, Kind
from colonnade.services.history import History, Values
from colonnade.services.hooks import Change

Places: TypeAlias = "Sequence[tuple[str, int, Converter]]"
"""Of each column of the table: its attribute, its place in a row, and what makes Python's value of the driver's."""

_GIVING_BACK = frozenset({"create", "update", "restore"})


class PlannedHistory:
    """Records the planned changes of one table.

    Args:
        history: of the table.
        facts: the table.
        projection: what is shown of a changed row.
    """

    def __init__(self, history: History, facts: TableFacts, projection: Projection) -> None:
        self._history = history
        self._facts = facts
        self._plans = ChangePlans(facts, projection, tuple(facts.columns.values()))
        self._compiled: dict[str, _Compiled] = {}

    async def commit(
        self, database: Database, kind: Kind, change: Change, shown: Selection, follow: Follow | None
    ) -> list[Outcome]:
        """Commit the plan of a change together with its entry, if it changes anything.

        Args:
            database: where.
            kind: of its statement.
            change: of one row, not for good where the table knows soft deletion.
            shown: what is given back of the row.
            follow: gives what else follows from the change.

        Returns:
            The outcomes of the plan's own statements.
        """
        compiled, request_id = self._for(database), get_request_id()
        before = [] if kind == "create" else [compiled.locked.bind({"id": change.id})]
        after = [] if kind in _GIVING_BACK else [compiled.look.bind({"id": change.id})]
        wide = self._plans.selection(change.permit) if kind in _GIVING_BACK else None

        def own(outcomes: Sequence[Outcome]) -> list[Outcome]:
            found = outcomes[len(before) : len(outcomes) - len(after)]
            return list(found) if wide is None else [_narrowed(outcome, len(shown.columns)) for outcome in found]

        def complete(outcomes: Sequence[Outcome]) -> list[Statement]:
            if not outcomes[len(before)].affected:
                return []
            was = compiled.row(outcomes[0].rows) if before else None
            became = compiled.row(outcomes[-1].rows, wide)
            id = change.id if became is None else became[self._facts.identity.key]
            entry = self._history.entry(replace(change, id=id), was, became)
            # Made wherever the driver is at work, which may not be in the request's own context.
            made = compiled.insert.bind({**entry, "request_id": request_id})
            return [made, *(() if follow is None else follow(own(outcomes)))]

        planned = self._plans.bound(database, kind, change)
        return own(await database.commit([*before, *planned, *after], complete))

    def _for(self, database: Database) -> _Compiled:
        known = self._compiled.get(database.driver_name)
        if known is None:
            known = self._compiled[database.driver_name] = _Compiled(self._facts, database.dialect)
        return known


class _Compiled:
    """The statements of a table's history, made ready for one dialect.

    Attributes:
        look: reads a row by its key.
        locked: does so, and locks it.
        insert: stores an entry.
    """

    def __init__(self, facts: TableFacts, dialect: sa.Dialect) -> None:
        identity = facts.identity.column
        found = sa.select(*[column.column for column in facts.columns.values()])
        found = found.where(identity == sa.bindparam("id", type_=identity.type))
        entry = [column for column in HISTORY.columns if not column.primary_key]
        self.look = compile_statement(found, dialect)
        self.locked = compile_statement(found.with_for_update(key_share=True), dialect)
        self.insert = compile_statement(
            sa.insert(HISTORY).values({one: sa.bindparam(one.name, type_=one.type) for one in entry}), dialect
        )
        self._facts = facts
        self._converters = {key: key_converter_of(column, dialect) for key, column in facts.columns.items()}
        # Of a row that is looked at by itself; of those that plans give back, which principals see differently.
        places = [(key, index, convert) for index, (key, convert) in enumerate(self._converters.items())]
        self._places: dict[Selection | None, Places] = {None: places}

    def row(self, rows: Sequence[Row], selection: Selection | None = None) -> Values | None:
        """Read a row as Python knows it; None where there is none.

        Args:
            rows: one at the most.
            selection: by which it was given back; None where it was looked at.
        """
        if not rows:
            return None
        row: Any = rows[0]
        places = self._places.get(selection) or self._places_in(selection)
        return {key: None if row[at] is None else convert(row[at]) for key, at, convert in places}

    def _places_in(self, selection: Selection | None) -> Places:
        assert selection is not None  # None is known from the beginning
        columns = self._facts.columns
        found = [(key, selection.index_of(columns[key]), convert) for key, convert in self._converters.items()]
        self._places[selection] = found
        return found


def _narrowed(outcome: Outcome, width: int) -> Outcome:
    """Leave out of rows the columns that were given back for the history only."""
    return Outcome([row[:width] for row in outcome.rows], outcome.affected)
