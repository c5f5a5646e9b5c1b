"""The filter operators: what each means in SQL, on every database alike.

Text comparisons are literal: nothing in a value is a wildcard. `LIKE` is not used, since SQLite's ignores the case of ASCII
and MariaDB's follows the collation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from colonnade.models.facts import Kind


class _Position(FunctionElement[int]):
    """Where a text stands in another, 1 at its start, 0 when nowhere."""

    type = sa.Integer()
    inherit_cache = True


class _Length(FunctionElement[int]):
    """Characters, not bytes."""

    type = sa.Integer()
    inherit_cache = True


class _Folded(FunctionElement[str]):
    """Lower case over the whole of Unicode; SQLite's own `lower` knows only ASCII."""

    type = sa.Text()
    inherit_cache = True


def _name(function: type[FunctionElement[Any]], name: str, **by_dialect: str) -> None:
    """Have a function rendered by this name, or by another on some dialects."""

    @compiles(function)
    def _render(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
        return f"{by_dialect.get(compiler.dialect.name, name)}({compiler.process(element.clauses, **kwargs)})"


_name(_Position, "instr", postgresql="strpos")
_name(_Length, "char_length", sqlite="length")
_name(_Folded, "lower", sqlite="unicode_lower")


class _NullsAsGreatest(FunctionElement[Any]):
    """`ASC NULLS LAST` or `DESC NULLS FIRST`; MariaDB has no such words and sorts by the test for NULL first."""

    inherit_cache = True


class _NullsAsGreatestDescending(_NullsAsGreatest):
    """The same, from the other end."""

    inherit_cache = True


def _order_words(function: type[FunctionElement[Any]], direction: str, nulls: str) -> None:
    @compiles(function)
    def _standard(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
        return f"{compiler.process(element.clauses, **kwargs)} {direction} NULLS {nulls}"

    @compiles(function, "mysql", "mariadb")
    def _by_test(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
        column = compiler.process(element.clauses, **kwargs)
        return f"{column} IS NULL {direction}, {column} {direction}"


_order_words(_NullsAsGreatest, "ASC", "LAST")
_order_words(_NullsAsGreatestDescending, "DESC", "FIRST")


def nulls_as_greatest(column: sa.ColumnElement[Any], descending: bool) -> sa.ColumnElement[Any]:
    """Order by a column whose NULLs count as greater than every value, as PostgreSQL has it by default."""
    return _NullsAsGreatestDescending(column) if descending else _NullsAsGreatest(column)


class _Bytes(FunctionElement[Any]):
    """A native enum as MariaDB compares it with a text; elsewhere as it is."""

    inherit_cache = True


@compiles(_Bytes)
def _as_it_is(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
    return compiler.process(element.clauses, **kwargs)


@compiles(_Bytes, "mysql", "mariadb")
def _as_bytes(element: FunctionElement[Any], compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kwargs)} AS BINARY)"


def sortable(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Give what a column is sorted by and compared by, which must be one: MariaDB sorts an ENUM by its number."""
    if not isinstance(column.type, sa.Enum) or not column.type.native_enum:
        return column
    found = _Bytes(column)
    found.type = column.type
    return found


Operand: TypeAlias = "sa.ColumnElement[Any]"
Operator: TypeAlias = "Callable[[Operand, Sequence[Operand]], sa.ColumnElement[bool]]"


def _contains(column: Operand, values: Sequence[Operand]) -> sa.ColumnElement[bool]:
    return _Position(column, values[0]) > 0


def _starts(column: Operand, values: Sequence[Operand]) -> sa.ColumnElement[bool]:
    return sa.func.substr(column, 1, _Length(values[0])) == values[0]


def _ends(column: Operand, values: Sequence[Operand]) -> sa.ColumnElement[bool]:
    # From the character where the ending would begin; a shorter text has none of that length.
    start = _Length(column) - _Length(values[0]) + 1
    return sa.and_(start > 0, sa.func.substr(column, start) == values[0])


def _folded(operator: Operator) -> Operator:
    return lambda column, values: operator(_Folded(column), [_Folded(value) for value in values])


OPERATORS: Mapping[str, Operator] = {
    "eq": lambda column, values: column == values[0],
    "ne": lambda column, values: column != values[0],
    "lt": lambda column, values: column < values[0],
    "lte": lambda column, values: column <= values[0],
    "gt": lambda column, values: column > values[0],
    "gte": lambda column, values: column >= values[0],
    "in": lambda column, values: column.in_(values),
    "nin": lambda column, values: column.not_in(values),
    "between": lambda column, values: column.between(values[0], values[1]),
    "contains": _contains,
    "icontains": _folded(_contains),
    "startswith": _starts,
    "istartswith": _folded(_starts),
    "endswith": _ends,
}

_ORDERED = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "between", "isnull")
_EXACT = ("eq", "ne", "in", "nin", "isnull")
_TEXT = (*_ORDERED, "contains", "icontains", "startswith", "istartswith", "endswith")

OPERATORS_OF: Mapping[Kind, tuple[str, ...]] = {
    Kind.INTEGER: _ORDERED,
    Kind.FLOAT: _ORDERED,
    Kind.DECIMAL: _ORDERED,
    Kind.DATETIME: _ORDERED,
    Kind.DATE: _ORDERED,
    Kind.TIME: _ORDERED,
    Kind.UUID: _EXACT,
    Kind.ENUM: _EXACT,
    Kind.BOOLEAN: _EXACT,
    Kind.TEXT: _TEXT,
    Kind.JSON: ("isnull",),
    Kind.OTHER: ("isnull",),
}
"""Which operators a column of each kind takes."""

LISTS = {"in": (1, 200), "nin": (1, 200), "between": (2, 2)}
"""Operators that take a comma list, with the fewest and the most values."""
