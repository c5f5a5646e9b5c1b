"""What a client asks for, as frozen values: the product of parsing and the input of planning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from colonnade.core.sealing import Seal
from colonnade.models.facts import Deleted
from colonnade.policy.access import Permit, bound_by

Count: TypeAlias = Literal["exact", "estimated", "none"]
PagingMode: TypeAlias = Literal["page", "offset", "cursor"]


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
class Group:
    """Conditions of which all have to hold (`and`), one of them (`or`), or not all of them (`not`)."""

    operator: Literal["and", "or", "not"]
    parts: tuple[Condition | Group, ...]

    @property
    def shape(self) -> tuple[object, ...]:
        """All that decides the SQL text."""
        return self.operator, *[part.shape for part in self.parts]

    def leaves(self) -> Iterator[Condition]:
        """Give the conditions in their order."""
        return leaves(self.parts)


def leaves(conditions: Iterable[Condition | Group]) -> Iterator[Condition]:
    """Give single conditions in their order, those inside groups too."""
    for condition in conditions:
        if isinstance(condition, Condition):
            yield condition
        else:
            yield from leaves(condition.parts)


class SortKey(NamedTuple):
    """One field to sort by; ties are broken by the primary key in the direction of the last one."""

    field: str
    descending: bool = False


USUAL_LIMITS = frozenset({10, 20, 25, 50, 100})
"""Few, since each is a text of its own."""


class Paging(NamedTuple):
    """Which part of the rows: `limit` rows after the first `offset`, or after the place where a walk stands."""

    mode: PagingMode
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a walk by cursor stands.

    Attributes:
        cursor: as the client sent it; empty at the start.
        after: values of the order's keys in the last row that was given; None at the start.
        scope: names the list that the cursor is of.
        seal: hides and proves cursors.
    """

    cursor: str
    after: tuple[object, ...] | None = None
    scope: bytes = b""
    seal: Seal | None = None

    @property
    def shape(self) -> tuple[bool, ...] | None:
        """All of it that decides the SQL text: which of the values are NULL."""
        return None if self.after is None else tuple([value is None for value in self.after])


@dataclass(frozen=True, slots=True)
class View:
    """How much of each row is shown.

    Attributes:
        fields: keys of the response to show; all of them when empty.
        include: relations to show beside them, e.g. `author` and `author.profile`, each after the one it hangs on.
        deleted: whether rows are seen that are deleted softly.
        permit: by which they are looked at; None where nothing is hidden from whoever looks.
    """

    fields: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    deleted: Deleted = "hide"
    permit: Permit | None = None

    @property
    def bound(self) -> dict[str, object]:
        """The values that a statement of it binds beside its own."""
        return bound_by(self.permit)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of a row is left out or added."""
        return not self.fields and not self.include


WHOLE = View()
"""The canonical representation: what a request without `fields` and `include` gets."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request for a list, free of HTTP."""

    conditions: tuple[Condition | Group, ...]
    sort: tuple[SortKey, ...]
    paging: Paging
    count: Count
    view: View = WHOLE
    walk: Walk | None = None

    @property
    def shape(self) -> tuple[object, ...]:
        """The key under which the plan for this and every like request is kept."""
        conditions = tuple([condition.shape for condition in self.conditions])
        view = None if self.view is WHOLE else self.view  # the most common one need not be hashed
        if self.walk is None:
            return conditions, self.sort, view, self.most
        return conditions, self.sort, view, self.most, "walk", self.walk.shape

    @property
    def most(self) -> int | None:
        """How many rows are read, where that stands in the text; None where it is bound.

        PostgreSQL takes a bound LIMIT for a tenth of the table, and so never keeps the plan of a prepared statement, whose
        making costs as much as its run. It shall keep those of whole lists, and plan anew where a condition is: a plan that
        is good for a common value may read the whole table for a rare one.
        """
        paging = self.paging
        if self.conditions or paging.limit not in USUAL_LIMITS or self.view.permit is not None:
            return None
        if self.walk is not None:
            return paging.limit + 1  # which tells whether there is more
        return paging.limit if paging.offset == 0 else None

    @property
    def count_shape(self) -> tuple[object, ...]:
        """The key under which the plan for counting is kept."""
        return "count", self.view.deleted, self.view.permit, tuple([condition.shape for condition in self.conditions])

    def within(self, condition: Condition) -> ReadRequest:
        """Narrow the request by a condition of the server's own, e.g. to the rows of one parent."""
        return replace(self, conditions=(*self.conditions, condition))
