"""The statements of single changes, planned once for each shape and kept.

A shape is which columns are given, whether a version is demanded, and what the principal may reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from colonnade.database.database import Database
from colonnade.models.clock import utc_now
from colonnade.models.facts import ColumnFacts, TableFacts
from colonnade.policy.access import Access, Permit
from colonnade.query.compile import CompiledStatement, Statement, compile_statement
from colonnade.query.precondition import UNCONDITIONAL
from colonnade.query.selection import Selection, select_for
from colonnade.query.shape import Row
from colonnade.query.wire import key_converter_of
from colonnade.query.writes import plan_delete, plan_hide, plan_insert, plan_reach, plan_restore, plan_update
from colonnade.schemas.projection import Projection
from colonnade.services.blueprint import PlanCache
from colonnade.services.hooks import Change

Kind = Literal["create", "update", "hide", "delete", "restore", "reach"]
"""What a statement does; a deletion hides its row or removes it, and the last one only looks."""


class ChangePlans:
    """Plans the single changes of one table.

    Args:
        facts: the table.
        projection: what is shown of a changed row.
        extra: columns that are given back behind those.
    """

    def __init__(self, facts: TableFacts, projection: Projection, extra: Sequence[ColumnFacts] = ()) -> None:
        self._extra = tuple(extra)
        self._facts = facts
        self._projection = projection
        self._plans = PlanCache()

    def selection(self, permit: Permit | None = None) -> Selection:
        """Give the columns by which a changed row is shown to whoever changed it."""
        after = None if permit is None else permit.after
        access = None if after is None else after.access
        found: Any = self._plans.get(("selection", access))
        if found is None:
            found = self._plans["selection", access] = select_for(
                self._facts, self._projection, *self._extra, access=access
            )
        return found  # type: ignore[no-any-return]

    def id_of(self, database: Database, change: Change, row: Row) -> object:
        """Give the id that a returned row has, as Python knows it."""
        convert = key_converter_of(self._facts.identity, database.dialect)
        return convert(row[self.selection(change.permit).identity])

    def of(self, database: Database, change: Change) -> list[Statement]:
        """Give the statements of a prepared change that goes the compiled way, for a transaction of the caller's.

        The first one affects no row where it is not there, or not as it is demanded; the last one gives a changed row back.
        """
        if change.action == "delete":
            return self.bound(database, self.deletion(change), change)
        return self.bound(database, "create" if change.action == "create" else "update", change)

    def deletion(self, change: Change) -> Kind:
        """Tell what becomes of a row that is deleted."""
        return "delete" if self._facts.deleted is None or change.permanent else "hide"

    def bound(self, database: Database, kind: Kind, change: Change) -> list[Statement]:
        """Bind the values into the plan of their shape."""
        stored = self._stored(kind, change.values)
        bound: dict[str, object] = {f"v_{key}": value for key, value in stored.items()}
        bound["id"] = change.id
        versions = None if change.precondition is UNCONDITIONAL else change.precondition.versions
        if versions is not None:
            (bound["expected"],) = versions
        access = None
        if change.permit is not None and (access := change.permit.restricts) is not None:
            bound |= change.permit.bound
        statements = self._plan(database, kind, tuple(stored), versions is not None, access)
        return [statement.bind(bound) for statement in statements]

    def look(self, database: Database, change: Change, access: Access) -> Statement:
        """Bind the statement that finds the row of a change where its principal may change it."""
        (look,) = self._plan(database, "reach", (), False, access)
        assert change.permit is not None  # whose access it is
        return look.bind({"id": change.id, **change.permit.bound})

    def _stored(self, kind: Kind, values: Mapping[str, object]) -> Mapping[str, object]:
        """Give what goes into the columns, by attribute."""
        match kind:
            case "delete":
                return {}
            case "hide":
                return self._facts.hidden(utc_now())
            case "restore":
                return self._facts.restored()
        return self._facts.fill(values, new=kind == "create")

    def _plan(
        self, database: Database, kind: Kind, keys: tuple[str, ...], versioned: bool, access: Access | None
    ) -> list[CompiledStatement]:
        shape = (database.driver_name, kind, keys, versioned, access)
        found: Any = self._plans.get(shape)
        if found is None:
            statements: list[Any] = self._make_plan(database.dialect.name, kind, keys, versioned, access)
            found = self._plans[shape] = [compile_statement(one, database.dialect) for one in statements]
        return found  # type: ignore[no-any-return]

    def _make_plan(
        self, dialect: str, kind: Kind, keys: tuple[str, ...], versioned: bool, access: Access | None
    ) -> list[sa.Executable]:
        facts, read = self._facts, self.selection(None if access is None else Permit(access))
        reach = [] if access is None else access.reach()
        match kind:
            case "create":
                return plan_insert(facts, read, keys, dialect)
            case "update":
                return plan_update(facts, read, keys, dialect, versioned=versioned, reach=reach)
            case "hide":
                return plan_hide(facts, keys, dialect, versioned=versioned, reach=reach)
            case "restore":
                return plan_restore(facts, read, keys, dialect, versioned=versioned, reach=reach)
            case "reach":
                return plan_reach(facts, reach)
        return plan_delete(facts, dialect, versioned=versioned, reach=reach)
