"""From conditions to SQL: comparisons, groups of them, and comparisons with rows that a relation leads to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import sqlalchemy as sa

from colonnade.models.facts import TableFacts, read_facts
from colonnade.policy.access import access_to
from colonnade.policy.audience import Standing
from colonnade.query.full_text import MATCHES, MATCHES_UNINDEXED, matches
from colonnade.query.operators import OPERATORS
from colonnade.query.request import Condition, Group


def predicates(
    facts: TableFacts, conditions: Iterable[Condition | Group], standing: Standing | None = None
) -> list[sa.ColumnElement[bool]]:
    """Write conditions; values are bound as `c0_0`, `c0_1`, ...: the number of the condition, then of its value.

    Conditions are numbered as `leaves` gives them.

    Args:
        facts: of the table.
        conditions: that a row has to meet.
        standing: of whoever asks: only rows within its reach are found behind a relation; None where all are.
    """
    writer = _Writer(standing)
    return [writer.predicate(facts, condition) for condition in conditions]


@dataclass(slots=True)
class _Writer:
    """Numbers the conditions while writing them."""

    standing: Standing | None
    numbers: Iterator[int] = field(default_factory=count)

    def predicate(self, facts: TableFacts, condition: Condition | Group) -> sa.ColumnElement[bool]:
        if isinstance(condition, Condition):
            if condition.operator in {MATCHES, MATCHES_UNINDEXED}:
                return matches(facts.table, condition.operator, f"c{next(self.numbers)}_0")
            return self._reach((facts, facts.table), condition.field.split("."), condition, next(self.numbers))
        parts = [self.predicate(facts, part) for part in condition.parts]
        if condition.operator == "not":
            # What compares with NULL is not true, and its contrary is: in SQL alone both would be neither.
            return sa.and_(*parts).is_not(sa.true())
        return sa.or_(*parts) if condition.operator == "or" else sa.and_(*parts)

    def _reach(
        self, start: tuple[TableFacts, sa.FromClause], path: list[str], condition: Condition, number: int
    ) -> sa.ColumnElement[bool]:
        """Compare a column, or ask whether a relation leads to a row that is seen and whose column compares so."""
        (facts, table), (key, *rest) = start, path
        if not rest:
            return _compare(table.c[facts.columns[key].column.key], condition, number)
        relation = facts.relations[key]
        target = read_facts(relation.target)
        # The name tells the relation from others of the same condition's way, and of other conditions.
        other = target.table.alias(f"f{number}_{len(rest)}_{key}")
        joined = [table.c[str(local.key)] == other.c[str(remote.key)] for local, remote in relation.pairs]
        found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(other)
        seen = [*target.visible(table=other), *self._allowed(target, other)]
        reached = self._reach((target, other), rest, condition, number)
        return found.where(*joined, *seen, reached).correlate(table).exists()

    def _allowed(self, target: TableFacts, table: sa.FromClause) -> list[sa.ColumnElement[bool]]:
        return [] if self.standing is None else access_to(target.model, "read", self.standing).reach(table)


def _compare(column: sa.ColumnElement[object], condition: Condition, number: int) -> sa.ColumnElement[bool]:
    if condition.operator == "isnull":
        return column.is_(None) if condition.values[0] else column.is_not(None)
    bound = [sa.bindparam(f"c{number}_{place}", type_=column.type) for place in range(len(condition.values))]
    return OPERATORS[condition.operator](column, bound)
