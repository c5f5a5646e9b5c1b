"""The index policy (S44): keys and foreign keys have an index, flags and large texts have none of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from colonnade.models.facts import ColumnFacts, Kind

LARGE_TEXT = 255
"""Characters; databases bound what an index entry may hold, and nobody asks for such a text by its whole."""

_FEW_VALUES = frozenset({Kind.BOOLEAN, Kind.ENUM})


def is_worth_an_index(column: ColumnFacts) -> bool:
    """Tell whether looking for a value of a column finds few rows, and the value is small enough to be indexed."""
    if column.kind in _FEW_VALUES or column.kind in {Kind.JSON, Kind.OTHER}:
        return False
    return column.kind is not Kind.TEXT or (column.max_length is not None and column.max_length <= LARGE_TEXT)


def is_indexed(table: sa.Table, names: Sequence[str]) -> bool:
    """Tell whether an index, a unique constraint or the primary key begins with these columns, in any order.

    Args:
        table: as it is declared.
        names: of its columns.
    """
    wanted = set(names)
    return any(set(columns[: len(wanted)]) == wanted for columns in _indexes(table))


def unindexed_foreign_keys(table: sa.Table) -> Iterator[tuple[str, ...]]:
    """Give the columns of each foreign key without an index: a parent's deletion reads the whole table for its rows."""
    for constraint in sorted(table.foreign_key_constraints, key=lambda one: list(one.column_keys)):
        names = tuple(column.name for column in constraint.columns)
        if not is_indexed(table, names):
            yield names


def pointless_indexes(table: sa.Table, columns: Iterable[ColumnFacts]) -> Iterator[str]:
    """Give the columns with an index of their own that a database will hardly use: flags, and texts that are large."""
    for facts in columns:
        if (facts.kind is Kind.BOOLEAN or _is_large(facts)) and [facts.column.name] in list(_indexes(table)):
            yield facts.column.name


def _is_large(facts: ColumnFacts) -> bool:
    return facts.kind is Kind.TEXT and not is_worth_an_index(facts)


def _indexes(table: sa.Table) -> Iterator[list[str]]:
    """Give the columns of each index in their order, as far as they are columns and not expressions."""
    yield [column.name for column in table.primary_key.columns]
    for index in table.indexes:
        yield [part.name if isinstance(part, sa.Column) else "" for part in index.expressions]
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield [column.name for column in constraint.columns]
