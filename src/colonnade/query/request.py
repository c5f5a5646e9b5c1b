"""What a client asks for, as frozen values: the product of parsing and the input of planning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Count: TypeAlias = Literal["exact", "none"]
PagingMode: TypeAlias = Literal["page", "offset"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: a field, an operator and its values, already of the column's type (one, or several for `in`)."""

    field: str
    operator: str
    values: tuple[object, ...]

    @property
    def shape(self) -> tuple[str, str, object]:
        """All that decides the SQL text: not the values, but how many they are; `isnull` is itself a choice of text."""
        return self.field, self.operator, self.values[0] if self.operator == "isnull" else len(self.values)


@dataclass(frozen=True, slots=True)
class SortKey:
    """One field to sort by; ties are broken by the primary key in the direction of the last one."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of the rows: `limit` rows after the first `offset`; the mode decides only how the answer is worded."""

    mode: PagingMode
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class View:
    """How much of each row is shown.

    Attributes:
        fields: keys of the response to show; all of them when empty.
        include: relations to show beside them, e.g. `author` and `author.profile`, each after the one it hangs on.
    """

    fields: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


WHOLE = View()
"""The canonical representation: what a request without `fields` and `include` gets."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request for a list, free of HTTP."""

    conditions: tuple[Condition, ...]
    sort: tuple[SortKey, ...]
    paging: Paging
    count: Count
    view: View = WHOLE

    @property
    def shape(self) -> tuple[object, ...]:
        """The key under which the plan for this and every like request is kept."""
        return tuple([condition.shape for condition in self.conditions]), self.sort, self.view

    def within(self, condition: Condition) -> ReadRequest:
        """Narrow the request by a condition of the server's own, e.g. to the rows of one parent."""
        return replace(self, conditions=(*self.conditions, condition))
