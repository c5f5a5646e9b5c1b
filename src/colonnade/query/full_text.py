"""Rows whose words match a search, by the index that `colonnade.models.full_text` declares.

What is looked for goes to the database as words in quotation marks, so that nothing in it is an operator: each of them has
to be there, in whatever order. One that ends with `BEGINNING` may go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from colonnade.core.errors import DeclarationError
from colonnade.models.full_text import WORDS_COLUMN, document, full_text_of, words_table

MATCHES = "matches"
"""The operator of a condition on all words of a row: its value is the words that are looked for."""

MATCHES_UNINDEXED = "matches_unindexed"
"""The same for one word that is too short or too long for MariaDB's index: there it is looked for in the rows."""


BEGINNING = "*"
"""Behind a word that is the beginning of those that are looked for; no word has it in itself."""


class _Query(sa.types.TypeDecorator[str]):
    """Words as each database wants them in a search."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str:
        write, between = _WRITTEN.get(dialect.name, (_for_mysql, " "))
        return between.join(map(write, (value or "").split()))


def _for_postgresql(word: str) -> str:
    return f"'{word[:-1]}':*" if word.endswith(BEGINNING) else f"'{word}'"


def _for_sqlite(word: str) -> str:
    return f'"{word[:-1]}"*' if word.endswith(BEGINNING) else f'"{word}"'


def _for_mysql(word: str) -> str:
    # In quotation marks the sign would be punctuation.
    return f"+{word}" if word.endswith(BEGINNING) else f'+"{word}"'


_WRITTEN: Mapping[str, tuple[Callable[[str], str], str]] = {
    "postgresql": (_for_postgresql, " & "),
    "sqlite": (_for_sqlite, " "),
}
"""How a word is written in a search, and what stands between two that both have to be there."""


class _Word(sa.types.TypeDecorator[str]):
    """One word, as `_Query` has it; for MariaDB with the spaces that are around it in the column of words."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str:
        word = value or ""
        if dialect.name in _WRITTEN:
            return _WRITTEN[dialect.name][0](word)
        return f" {word[:-1]}" if word.endswith(BEGINNING) else f" {word} "


class _Matches(FunctionElement[bool]):
    """Whether words are among those of a row. Its clauses: the words, the key, the columns, for whoever looks at them."""

    type = sa.Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> Self:
        """Stand as it is: SQLAlchemy would write `= 1` behind it, and MariaDB's MATCH gives a rank."""
        return self


class _MatchesUnindexed(_Matches):
    """The same for a word that MariaDB does not index."""

    inherit_cache = True


def matches(table: sa.Table, operator: str, name: str) -> sa.ColumnElement[bool]:
    """Compare the words of a row with those of a search.

    Args:
        table: declares `full_text`.
        operator: `MATCHES` or `MATCHES_UNINDEXED`.
        name: under which the words are bound.
    """
    declared = full_text_of(table)
    assert declared is not None  # who reads a search asks before
    columns = [table.columns[column] for column in declared.columns]
    (key,) = table.primary_key.columns
    if operator == MATCHES:
        return _Matches(sa.bindparam(name, type_=_Query()), key, *columns)
    return _MatchesUnindexed(sa.bindparam(name, type_=_Word()), key, *columns)


@compiles(_Matches)
def _unknown(element: FunctionElement[Any], compiler: SQLCompiler, **_: Any) -> str:
    raise DeclarationError(f"full-text search is not known on {compiler.dialect.name}")


@compiles(_Matches, "postgresql")
def _by_vector(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
    declared = full_text_of(_table(element))
    assert declared is not None  # `matches` made it
    query, _, *columns = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"({document(columns, declared.config)} @@ to_tsquery('{declared.config}', {query}))"


@compiles(_Matches, "sqlite")
def _by_words_table(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
    words = compiler.preparer.quote(words_table(_table(element).name))
    query, key, *_ = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"({key} IN (SELECT rowid FROM {words} WHERE {words} MATCH {query}))"  # noqa: S608  # names of the model, quoted


@compiles(_Matches, "mysql", "mariadb")
def _by_index(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
    query = compiler.process(next(iter(element.clauses)), **kwargs)
    return f"(MATCH ({_words(element, compiler)}) AGAINST ({query} IN BOOLEAN MODE))"


@compiles(_MatchesUnindexed, "mysql", "mariadb")
def _by_position(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
    word = compiler.process(next(iter(element.clauses)), **kwargs)
    return f"(INSTR({_words(element, compiler)}, {word}) > 0)"


def _words(element: FunctionElement[Any], compiler: SQLCompiler) -> str:
    return f"{compiler.preparer.format_table(_table(element))}.{WORDS_COLUMN}"


def _table(element: FunctionElement[Any]) -> sa.Table:
    key: Any = list(element.clauses)[1]
    table: sa.Table = key.table
    return table
