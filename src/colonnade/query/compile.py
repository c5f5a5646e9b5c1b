"""From a plan's statement to SQL text and binders, once per shape and dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.elements import ClauseElement


class Statement(NamedTuple):
    """One SQL text with the values bound to it, both in the driver's own form."""

    sql: str
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """A statement whose text is settled.

    Attributes:
        sql: the text, with the driver's own placeholders.
        names: the bound name at each placeholder, in order.
        processors: what turns a value into what the driver wants, None where it takes it as it is.
        constants: values that the plan itself brought along.
    """

    sql: str
    names: tuple[str, ...]
    processors: tuple[Callable[[Any], object] | None, ...]
    constants: Mapping[str, object]
    _pick: Callable[[Mapping[str, object]], object] | None = field(init=False)

    def __post_init__(self) -> None:
        # Where nothing is added or processed, one call without Python in it finds all values.
        as_they_are = self.names and not self.constants and not any(self.processors)
        object.__setattr__(self, "_pick", itemgetter(*self.names) if as_they_are else None)

    def bind(self, values: Mapping[str, object]) -> Statement:
        """Put values in their places.

        Args:
            values: bound name -> value; every name that is not a constant.
        """
        if self._pick is not None:
            found: Any = self._pick(values)
            return Statement(self.sql, found if len(self.names) > 1 else (found,))
        if self.constants:
            values = {**self.constants, **values}
        return Statement(
            self.sql,
            tuple(
                [
                    values[name] if process is None else process(values[name])
                    for name, process in zip(self.names, self.processors, strict=True)
                ]
            ),
        )

    def bind_from(self, start: int, values: Mapping[str, object]) -> tuple[object, ...]:
        """Give the arguments from a place on, for a caller that makes those before it itself."""
        values = {**self.constants, **values}
        return tuple(
            values[name] if process is None else process(values[name])
            for name, process in zip(self.names[start:], self.processors[start:], strict=True)
        )


def compile_statement(statement: ClauseElement, dialect: sa.Dialect) -> CompiledStatement:
    """Compile a Core statement for the driver's own connection.

    Args:
        statement: its values are `bindparam`s by name; lists are written out, not expanding.
        dialect: the engine's own, since driver and server decide the text.
    """
    compiled: Any = statement.compile(dialect=dialect)
    names = tuple(compiled.positiontup or ())
    processors = tuple(compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)
    constants = {name: compiled.params[name] for name in names if not compiled.binds[name].required}
    return CompiledStatement(str(compiled), names, processors, constants)
