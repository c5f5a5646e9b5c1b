"""A grant: who may do what with which rows, which fields of them are seen and which may be written.

Rows are told declaratively, by columns and values, so that the one declaration gives both the predicate in a statement's
WHERE and the check of a new row's values in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import TableFacts
from colonnade.policy.audience import Audience, Standing

Operation = Literal["read", "read_deleted", "read_history", "create", "update", "delete", "restore", "purge"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

ME = "me"
"""The name under which statements bind the principal's id."""

_SHOWING: frozenset[Operation] = frozenset({"read", "create"})
"""By whose grants fields are seen: a row that is there, and one that was just made."""

_READS: frozenset[Operation] = frozenset({"read", "read_deleted", "read_history"})


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of a policy; `allow` makes them.

    Attributes:
        operations: what may be done.
        to: by whom.
        own: the column that has to hold the principal's id; None where it need not.
        where: columns and the values that they have to have.
        show: the only fields that are seen; all when None.
        hide: fields that are not.
        write: the only fields that may be sent; all when None.
    """

    operations: frozenset[Operation]
    to: Audience
    own: str | None = None
    where: tuple[tuple[str, Any], ...] = ()
    show: frozenset[str] | None = None
    hide: frozenset[str] = frozenset()
    write: frozenset[str] | None = None

    @property
    def of_all_rows(self) -> bool:
        """Whether it asks nothing of a row."""
        return self.own is None and not self.where

    @property
    def columns(self) -> frozenset[str]:
        """The columns by which its rows are told, by attribute."""
        return frozenset(key for key, _ in self.where) | ({self.own} if self.own else frozenset())

    @property
    def shows_everything(self) -> bool:
        """Whether all fields of all rows are seen."""
        return self.of_all_rows and self.show is None and not self.hide

    def applies(self, operation: Operation, table: str, standing: Standing) -> bool:
        """Tell whether it lets somebody of this standing do something.

        An API key does at most what its account may, and of that only what lies within its scopes: `orders:read` and
        `orders:write`, after the name of the table. What anyone may with rows that are nobody's, it may too.
        """
        if operation not in self.operations or not self.to.includes(standing):
            return False
        is_public = not self.to.signed_in and self.own is None
        if standing.scopes is None or is_public:
            return standing.signed_in or self.own is None
        return f"{table}:{'read' if operation in _READS else 'write'}" in standing.scopes

    def shows(self, key: str) -> bool:
        """Tell whether a field of its rows is seen."""
        return key not in self.hide and (self.show is None or key in self.show)

    def writes(self, keys: Collection[str]) -> bool:
        """Tell whether it lets all of these fields be sent."""
        return self.write is None or self.write.issuperset(keys)

    def predicate(self, facts: TableFacts, table: sa.FromClause | None = None) -> sa.ColumnElement[bool]:
        """Write the condition on which a row is one of its rows; the principal's id is bound as `me`.

        Args:
            facts: of the table.
            table: an alias of it.
        """
        columns = (facts.table if table is None else table).c
        parts: list[sa.ColumnElement[bool]] = []
        if self.own is not None:
            column = columns[facts.columns[self.own].column.key]
            parts.append(column == sa.bindparam(ME, type_=column.type))
        for key, value in self.where:
            column = columns[facts.columns[key].column.key]
            parts.append(column.is_(None) if value is None else column == value)
        return sa.and_(sa.true(), *parts)

    def has(self, value_of: Callable[[str], object], me: object) -> bool:
        """Tell whether a row is one of its rows, as `predicate` does, by the values of its columns.

        Args:
            value_of: gives the value of an attribute.
            me: the principal's id.
        """
        if self.own is not None and (me is None or value_of(self.own) != me):
            return False
        return all(value_of(key) == value for key, value in self.where)

    def keeps(self, values: Mapping[str, object], me: object) -> bool:
        """Tell whether a row of its own would still be one with these values (PostgreSQL's WITH CHECK)."""
        if self.own is not None and values.get(self.own, me) != me:
            return False
        return all(values[key] == value for key, value in self.where if key in values)


def allow(
    *operations: Operation | Literal["everything"],
    to: Audience,
    own: str | None = None,
    where: Mapping[str, object] | None = None,
    show: Collection[str] | None = None,
    hide: Collection[str] = (),
    write: Collection[str] | None = None,
) -> Grant:
    """Grant something; what no grant allows is denied.

    Args:
        operations: `read`, `read_deleted` (rows that were deleted softly, by `deleted=`), `read_history` (all that a row
            which may be read has ever been), `create`, `update` (PATCH and PUT), `delete`, `restore`, `purge`
            (`permanent=true`), or `everything`.
        to: `anyone`, `signed_in` or `role(...)`.
        own: an attribute: only rows in which it is the principal's id, new ones too.
        where: attributes and values: only rows that have them, new ones too; None stands for NULL.
        show: the only fields that are seen of these rows, by `read`, or by `create` of a row that was just made.
        hide: fields that are not, in the same way.
        write: the only fields that may be sent.

    Raises:
        DeclarationError: there is no such operation; a value that can't be compared with a column's; fields shown or hidden
            where nothing is read.
    """
    wanted: frozenset[Any] = frozenset(OPERATIONS) if "everything" in operations else frozenset(operations)
    if not wanted or (unknown := wanted - set(OPERATIONS)):
        told = ", ".join(sorted(unknown)) if wanted else "none given"
        raise DeclarationError(f"no such operations: {told}; there are {', '.join(OPERATIONS)}, everything")
    if any(isinstance(names, str) for names in (show, hide, write)):
        raise DeclarationError("show, hide and write take lists of names")
    grant = Grant(
        wanted,
        to,
        own,
        tuple((where or {}).items()),
        None if show is None else frozenset(show),
        frozenset(hide),
        None if write is None else frozenset(write),
    )
    _refuse_useless(grant)
    return grant


def _refuse_useless(grant: Grant) -> None:
    """Refuse what would do nothing, or fail only with the first request."""
    for key, value in grant.where:
        try:
            hash(value)  # plans are kept by their grants
        except TypeError:
            raise DeclarationError(
                f"where={{'{key}': ...}} takes a single value, not a {type(value).__name__}"
            ) from None
    if (grant.show is not None or grant.hide) and not grant.operations & _SHOWING:
        told = ", ".join(sorted(grant.operations))
        raise DeclarationError(
            f"show and hide belong to a grant of read or create, not of {told} alone: "
            "what is seen of a row, deleted or changed, is what the grants of read show of it"
        )
