"""Full-text indexes in migrations: `op.create_full_text`, `op.drop_full_text`, and `colonnade db new` that writes them.

Alembic knows neither a virtual table nor a generated column that no model has; what belongs to an index is kept out of its
sight, and compared here (https://alembic.sqlalchemy.org/en/latest/api/operations.html#operation-plugins).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import UpgradeOps
from alembic.util import DispatchPriority

from colonnade.models.full_text import (
    WORDS_COLUMN,
    FullText,
    creation,
    full_text_of,
    index_name,
    removal,
    trigger_names,
    words_table,
)

_SHADOWS = ("", "_data", "_idx", "_content", "_docsize", "_config")
"""Endings of the tables that SQLite keeps for a virtual one (https://www.sqlite.org/fts5.html#fts5_data_structures)."""


@Operations.register_operation("create_full_text")
class CreateFullText(MigrateOperation):
    """Makes an index over the words of a table's columns; see `colonnade.full_text`."""

    def __init__(self, table: str, columns: Sequence[str], config: str = "simple") -> None:
        self.table, self.columns, self.config = table, tuple(columns), config

    @classmethod
    def create_full_text(
        cls, operations: Operations, table: str, columns: Sequence[str], config: str = "simple"
    ) -> None:
        """Index the words of columns; a table that is there is read once."""
        operations.invoke(cls(table, columns, config))

    def to_diff_tuple(self) -> tuple[str, str]:
        """Name the difference, for `check`."""
        return "add_full_text", self.table

    def reverse(self) -> MigrateOperation:
        """Give what undoes it."""
        return DropFullText(self.table, self.columns, self.config)


@Operations.register_operation("drop_full_text")
class DropFullText(MigrateOperation):
    """Drops such an index; the columns and the configuration are there to make it again."""

    def __init__(self, table: str, columns: Sequence[str] = (), config: str = "simple") -> None:
        self.table, self.columns, self.config = table, tuple(columns), config

    @classmethod
    def drop_full_text(
        cls, operations: Operations, table: str, columns: Sequence[str] = (), config: str = "simple"
    ) -> None:
        """Drop the index over the words of a table."""
        operations.invoke(cls(table, columns, config))

    def to_diff_tuple(self) -> tuple[str, str]:
        """Name the difference, for `check`."""
        return "remove_full_text", self.table

    def reverse(self) -> MigrateOperation:
        """Give what undoes it."""
        return CreateFullText(self.table, self.columns, self.config)


@Operations.implementation_for(CreateFullText)
def _create(operations: Operations, operation: CreateFullText) -> None:
    connection = operations.get_bind()
    (key,) = sa.inspect(connection).get_pk_constraint(operation.table)["constrained_columns"]
    declared = FullText(operation.columns, operation.config)
    for statement in creation(operation.table, key, declared, connection.dialect):
        connection.exec_driver_sql(statement)


@Operations.implementation_for(DropFullText)
def _drop(operations: Operations, operation: DropFullText) -> None:
    connection = operations.get_bind()
    for statement in removal(operation.table, connection.dialect):
        connection.exec_driver_sql(statement)


@renderers.dispatch_for(CreateFullText)
@renderers.dispatch_for(DropFullText)
def _render(_: AutogenContext, operation: CreateFullText | DropFullText) -> str:
    verb = "create" if isinstance(operation, CreateFullText) else "drop"
    config = "" if operation.config == "simple" else f", config={operation.config!r}"
    columns = ", ".join(f'"{column}"' for column in operation.columns)
    return f'op.{verb}_full_text("{operation.table}", [{columns}]{config})'


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)  # after the tables that are new
def _compare(context: AutogenContext, operations: UpgradeOps, _: Collection[str | None]) -> None:
    """Write what a model declares and the database lacks; of what no model declares any more the columns are not known."""
    connection, metadata = context.connection, context.metadata
    if connection is None or not isinstance(metadata, sa.MetaData):
        return
    there = set(sa.inspect(connection).get_table_names())
    for table, declared in _declaring(metadata):
        if table.name not in there or not _is_there(connection, table.name):
            operations.ops.append(CreateFullText(table.name, declared.columns, declared.config))


def _is_there(connection: sa.Connection, table: str) -> bool:
    inspector = sa.inspect(connection)
    if connection.dialect.name == "sqlite":
        return inspector.has_table(words_table(table))
    return any(index["name"] == index_name(table) for index in inspector.get_indexes(table))


def is_compared(metadata: sa.MetaData, name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
    """Tell Alembic which things of the database to compare with the models: all but the parts of a full-text index."""
    if kind == "table":
        hidden = {f"{words_table(table.name)}{ending}" for table in metadata.tables.values() for ending in _SHADOWS}
        return name not in hidden
    return name not in {WORDS_COLUMN, index_name(str(parents.get("table_name")))}


def mend(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Make SQLite's triggers again where a migration has copied a table and dropped the old one, and them with it."""
    for table, declared in _declaring(metadata):
        names = trigger_names(table.name)
        listed = sa.text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN :names")
        found = connection.scalar(listed.bindparams(sa.bindparam("names", names, expanding=True)))
        if found != len(names) and _is_there(connection, table.name):
            key = table.primary_key.columns[0].name
            for statement in creation(table.name, key, declared, connection.dialect):
                connection.exec_driver_sql(statement)


def _declaring(metadata: sa.MetaData) -> Iterator[tuple[sa.Table, FullText]]:
    for table in metadata.sorted_tables:
        if (declared := full_text_of(table)) is not None:
            yield table, declared
