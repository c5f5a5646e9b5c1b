"""Full-text search: which columns of a table it goes over, and the index of each database that makes it quick.

- **PostgreSQL**: a GIN index over the words of the columns (https://www.postgresql.org/docs/current/textsearch-indexes.html).
- **SQLite**: an FTS5 table beside the table, which keeps no text of its own, and three triggers that keep it right
  (https://www.sqlite.org/fts5.html#external_content_tables).
- **MariaDB**: a generated column with the words in lower case, and a FULLTEXT index over it, without stop words, which the
  other two do not have either. The column, since on the columns themselves their collation decides whether case counts.

Words are what stands between spaces and punctuation, and case does not count, on all of them alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.schema import SchemaItem

from colonnade.core.errors import DeclarationError

WORDS_COLUMN = "full_text_words"
"""MariaDB's generated column."""

MAX_INDEXED = 100_000
"""Characters of a row that PostgreSQL indexes: the words of a row may take a megabyte, and a row with more is refused."""

# What PostgreSQL's parser would make part of a word: of an address, a path, a compound, a signed number, a tag.
_JOINERS = "-./@_:~&<>+"


# Not in the tables' own `info`, which Alembic would write into a migration.
_DECLARED: WeakKeyDictionary[sa.Table, FullText] = WeakKeyDictionary()


class FullText(SchemaItem):
    """The declaration, as a table has it; made by `full_text`.

    Attributes:
        columns: names of the table's columns.
        config: PostgreSQL's text search configuration.
    """

    __visit_name__ = "full_text"

    def __init__(self, columns: Sequence[str], config: str = "simple") -> None:
        if not columns or not re.fullmatch(r"[a-z][a-z0-9_]*", config):
            raise DeclarationError("full_text takes the names of text columns, and as config one of PostgreSQL's")
        self.columns = tuple(columns)
        self.config = config

    def _set_parent(self, parent: Any, **_: Any) -> None:
        """Take the table that this stands in; called by SQLAlchemy."""
        table: sa.Table = parent
        for name in self.columns:
            if name not in table.columns or not isinstance(table.columns[name].type, sa.String):
                raise DeclarationError(f"full_text: {table.name} has no text column named '{name}'")
        if [isinstance(column.type, sa.Integer) for column in table.primary_key.columns] != [True]:
            raise DeclarationError(
                f"full_text: {table.name} needs a primary key of one integer column, by which SQLite's index finds rows"
            )
        _DECLARED[table] = self
        event.listen(table, "after_create", self._create)
        event.listen(table, "before_drop", self._drop)

    def _create(self, table: sa.Table, connection: sa.Connection, **_: Any) -> None:
        for statement in creation(table.name, table.primary_key.columns[0].name, self, connection.dialect):
            connection.exec_driver_sql(statement)

    def _drop(self, table: sa.Table, connection: sa.Connection, **_: Any) -> None:
        # Elsewhere the index goes with its table.
        if connection.dialect.name == "sqlite":
            for statement in removal(table.name, connection.dialect):
                connection.exec_driver_sql(statement)


def full_text(*columns: str, config: str = "simple") -> FullText:
    """Declare, in `__table_args__`, that the words of text columns are indexed for search.

    `Listing(search=[...])` with the same fields looks for words then, by the index, and no longer for a text anywhere.

    Args:
        columns: names of text columns of a table whose primary key is an integer.
        config: PostgreSQL's text search configuration: `simple` finds words as they are written, as SQLite and MariaDB do;
            `english` and its like find other forms of them too.

    Raises:
        DeclarationError: a name is no text column, or the key no integer.
    """
    return FullText(columns, config)


def full_text_of(table: sa.FromClause) -> FullText | None:
    """Give a table's declaration, where it has one."""
    return _DECLARED.get(table) if isinstance(table, sa.Table) else None


def index_name(table: str) -> str:
    """Name the index, of PostgreSQL and MariaDB."""
    return f"ix_{table}_full_text"


def words_table(table: str) -> str:
    """Name SQLite's table of words."""
    return f"{table}_full_text"


def document(columns: Sequence[str], config: str) -> str:
    """Write the words of a row as PostgreSQL has them; index and query have to say it by the same text.

    Args:
        columns: as they stand in SQL.
        config: the text search configuration.
    """
    text = " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)
    spaced = f"translate(left({text}, {MAX_INDEXED}), '{_JOINERS}', '{' ' * len(_JOINERS)}')"
    return f"to_tsvector('{config}'::regconfig, {spaced})"


def creation(table: str, key: str, declared: FullText, dialect: sa.Dialect) -> Iterator[str]:
    """Give the statements that make the index, and fill it from the rows that are there.

    Args:
        table: its name.
        key: the name of its primary key's column.
        declared: what is indexed.
        dialect: of the database.
    """
    quote = dialect.identifier_preparer.quote
    columns = [quote(name) for name in declared.columns]
    return _CREATION.get(dialect.name, _create_for_mysql)(quote, table, quote(key), columns, declared.config)


def removal(table: str, dialect: sa.Dialect) -> Iterator[str]:
    """Give the statements that drop the index and leave the table."""
    quote = dialect.identifier_preparer.quote
    match dialect.name:
        case "postgresql":
            yield f"DROP INDEX {quote(index_name(table))}"
        case "sqlite":
            for name in trigger_names(table):
                yield f"DROP TRIGGER IF EXISTS {quote(name)}"
            yield f"DROP TABLE IF EXISTS {quote(words_table(table))}"
        case _:
            yield f"ALTER TABLE {quote(table)} DROP INDEX {quote(index_name(table))}, DROP COLUMN {WORDS_COLUMN}"


def trigger_names(table: str) -> tuple[str, str, str]:
    """Name SQLite's triggers: after an insert, a deletion and an update."""
    words = words_table(table)
    return f"{words}_insert", f"{words}_delete", f"{words}_update"


Quote = Callable[[str], str]


def _create_for_postgresql(quote: Quote, table: str, _key: str, columns: list[str], config: str) -> Iterator[str]:
    words = document(columns, config)
    yield f"CREATE INDEX {quote(index_name(table))} ON {quote(table)} USING gin ({words})"


def _create_for_sqlite(quote: Quote, table: str, key: str, columns: list[str], _config: str) -> Iterator[str]:
    """Each statement may meet what it makes: a copied table has lost its triggers, and its words are still there."""
    words, of = quote(words_table(table)), quote(table)
    listed = ", ".join(columns)
    new, old = (", ".join(f"{row}.{column}" for column in (key, *columns)) for row in ("new", "old"))
    content = f"content='{table}', content_rowid='{key.strip(chr(34))}'"
    yield (
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {words} "
        f'USING fts5({listed}, {content}, tokenize="unicode61 remove_diacritics 0")'
    )
    add = f"INSERT INTO {words}(rowid, {listed}) VALUES ({new});"  # noqa: S608  # names of the model, quoted
    take = f"INSERT INTO {words}({words}, rowid, {listed}) VALUES ('delete', {old});"  # noqa: S608  # likewise
    changed = f"UPDATE OF {', '.join((key, *columns))}"
    for name, moment, body in zip(
        trigger_names(table), ("INSERT", "DELETE", changed), (add, take, f"{take} {add}"), strict=True
    ):
        yield f"CREATE TRIGGER IF NOT EXISTS {quote(name)} AFTER {moment} ON {of} BEGIN {body} END"
    yield f"INSERT INTO {words}({words}) VALUES ('rebuild')"  # noqa: S608  # likewise


def _create_for_mysql(quote: Quote, table: str, _key: str, columns: list[str], _config: str) -> Iterator[str]:
    text = f"LOWER(CONCAT_WS(' ', {', '.join(columns)}))"
    words = f"CONCAT(' ', REGEXP_REPLACE({text}, '[[:punct:][:space:]]+', ' '), ' ')"
    yield "SET SESSION innodb_ft_enable_stopword = OFF"
    yield (
        f"ALTER TABLE {quote(table)} ADD COLUMN {WORDS_COLUMN} MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin "
        f"GENERATED ALWAYS AS ({words}) STORED INVISIBLE"
    )
    yield f"ALTER TABLE {quote(table)} ADD FULLTEXT INDEX {quote(index_name(table))} ({WORDS_COLUMN})"
    yield "SET SESSION innodb_ft_enable_stopword = DEFAULT"


_CREATION: Mapping[str, Callable[[Quote, str, str, list[str], str], Iterator[str]]] = {
    "postgresql": _create_for_postgresql,
    "sqlite": _create_for_sqlite,
}
