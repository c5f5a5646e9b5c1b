"""What somebody may do with the rows of one table in one operation: the grants that apply, worked out once and kept.

An `Access` knows no principal, only a standing, so that statements made with it are kept and used again; the one value that
varies, the principal's id, is bound. A `Permit` is an access together with the principal who has it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import DeclarationError, ForbiddenError, UnauthenticatedError
from colonnade.models.facts import RelationFacts, TableFacts, read_facts
from colonnade.policy.audience import NOBODY, Standing, anyone, standing_of
from colonnade.policy.grant import ME, OPERATIONS, Grant, Operation
from colonnade.policy.policy import WORKED_OUT, policy_of
from colonnade.policy.principal import ANONYMOUS, Principal

MAX_ACCESSES = 1_000
"""Kept per model; accounts that give their keys every combination of scopes must not fill the memory."""

MAX_BODIES = 100
"""Sets of fields, sent together, for which an access remembers what it comes to."""

EVERYTHING = Grant(frozenset(OPERATIONS), anyone)
"""What a table without a policy grants."""


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """What a standing may do in one operation; equal only to itself, so that plans are kept by it.

    Attributes:
        facts: of the table.
        standing: whose.
        grants: those that apply.
        is_open: nothing is asked or hidden here, nor in any table that relations lead to.
        shows: of a change: how the changed row is seen, which has to be in sight before; None of a reading.
        of_deleted: of a reading: what applies to rows that were deleted softly; None where it is the same.
        is_bounded: rows out of reach are not seen; otherwise a row is shown that was let through already.
        is_tagged_as: of showing a new row: how it is read from then on, which its entity tag goes by; None elsewhere.
    """

    facts: TableFacts
    standing: Standing
    grants: tuple[Grant, ...]
    is_open: bool = False
    shows: Access | None = None
    of_deleted: tuple[Grant, ...] | None = None
    is_bounded: bool = True
    is_tagged_as: Access | None = None
    _narrowed: dict[object, Access] = field(default_factory=dict)
    _sending: dict[frozenset[str], Access] = field(init=False, default_factory=dict)
    _columns: frozenset[str] = field(init=False)
    fields: frozenset[str] | None = field(init=False)
    """The fields that may be sent, as far as that depends on no row; None where all may."""

    def __post_init__(self) -> None:
        # Asked for by every change of a row.
        object.__setattr__(self, "_columns", frozenset[str]().union(*[grant.columns for grant in self.grants]))
        object.__setattr__(self, "fields", self._fields())

    def _fields(self) -> frozenset[str] | None:
        if any(grant.write is None for grant in self.grants):
            return None
        return frozenset[str]().union(*[grant.write or () for grant in self.grants])

    def reach(self, table: sa.FromClause | None = None) -> list[sa.ColumnElement[bool]]:
        """Give the condition on which a row is in reach, as a list of one or two, or of none where every row is.

        Args:
            table: an alias of the table.
        """
        if not self.is_bounded:
            return []
        found = [] if self.shows is None else self.shows.reach(table)
        found += self._any(self.grants, table)
        if self.of_deleted is not None and self.facts.deleted is not None:
            alive = self.facts.visible(table=table)
            found += [sa.or_(*alive, *part) for part in [self._any(self.of_deleted, table)] if part]
        return found

    def sight_of(self, key: str) -> tuple[Grant, ...] | None:
        """Tell on which of the rows in reach a field is seen: on those of these grants; None where on all of them."""
        showing = tuple(grant for grant in self.grants if grant.shows(key))
        return None if len(showing) == len(self.grants) or any(grant.of_all_rows for grant in showing) else showing

    def sees(self, key: str) -> bool:
        """Tell whether a field is seen on every row in reach; else asking by it would tell what is hidden."""
        return bool(self.grants) and self.sight_of(key) is None

    def sees_path(self, field: str) -> bool:
        """Tell the same of a field behind relations, `category.name`, each of whose tables has its own policy."""
        head, _, rest = field.partition(".")
        if not rest or not self.sees(head):
            return self.sees(head)
        relation = self.facts.relations[head]
        target = access_to(relation.target, "read", self.standing)
        return target.by(relation) is target and target.sees_path(rest)

    def reads_path(self, path: str) -> bool:
        """Tell whether the rows that a relation leads to may be read, `user.profile`, at least some of them."""
        head, _, rest = path.partition(".")
        if not self.sees(head):
            return False
        relation = self.facts.relations[head]
        target = access_to(relation.target, "read", self.standing)
        return bool(target.by(relation).grants) and (not rest or target.reads_path(rest))

    def seen_where(self, grants: tuple[Grant, ...], table: sa.FromClause | None = None) -> sa.ColumnElement[bool]:
        """Write the condition on which one of some grants reaches a row."""
        return sa.or_(sa.false(), *[grant.predicate(self.facts, table) for grant in grants])

    def has(self, value_of: Callable[[str], object], me: object) -> bool:
        """Tell whether a row is in reach, by the values of its columns.

        Args:
            value_of: gives the value of an attribute.
            me: the principal's id.
        """
        return any(grant.has(value_of, me) for grant in self.grants)

    def sending(self, keys: Collection[str]) -> Access:
        """Narrow it to the grants that let all of these fields be sent at once."""
        kept = frozenset(keys)
        found = self._sending.get(kept)
        if found is None:
            every = all(grant.write is None for grant in self.grants)
            found = self if every else self._only(tuple(grant for grant in self.grants if grant.writes(kept)))
            if len(self._sending) < MAX_BODIES:
                self._sending[kept] = found
        return found

    def keeping(self, values: Mapping[str, object], me: object) -> Access:
        """Narrow it to the grants whose rows stay theirs with these new values."""
        if self._columns.isdisjoint(values):
            return self
        return self._only(tuple(grant for grant in self.grants if grant.keeps(values, me)))

    def showing(self, key: str) -> Access:
        """Narrow it to the grants on whose rows a field is seen."""
        grants = self.sight_of(key)
        return self if grants is None else self._only(grants)

    def by(self, relation: RelationFacts) -> Access:
        """Narrow it to the grants on whose rows it is seen whose they are, where a relation tells just that.

        Args:
            relation: that leads to the table: from a parent to its children, say, who name it by a foreign key.
        """
        link = relation.link
        return self if link is None else self.showing(link)

    def varies(self, keys: Collection[str]) -> bool:
        """Tell whether not everybody who reads sees all of these fields of each row: its version does not tell then."""
        reads = self if self.is_tagged_as is None else self.is_tagged_as
        return any(reads.sight_of(key) is not None for key in keys)

    @property
    def unbounded(self) -> Access:
        """The same for rows that were let through already."""
        found = self._narrowed.get("unbounded")
        if found is None:
            found = self._narrowed["unbounded"] = replace(self, is_bounded=False, _narrowed={})
        return found

    def _only(self, grants: tuple[Grant, ...]) -> Access:
        found = self._narrowed.get(grants)
        if found is None:
            found = self._narrowed[grants] = replace(self, grants=grants, _narrowed={})
        return found

    def _any(self, grants: tuple[Grant, ...], table: sa.FromClause | None) -> list[sa.ColumnElement[bool]]:
        return [] if any(grant.of_all_rows for grant in grants) else [self.seen_where(grants, table)]


@dataclass(frozen=True, slots=True)
class Permit:
    """An access, and who has it; as a key it is the access alone.

    Attributes:
        access: what may be done.
        principal: by whom; its id is what statements bind.
    """

    access: Access
    principal: Principal = field(default=ANONYMOUS, compare=False)

    @property
    def bound(self) -> dict[str, object]:
        """The value that statements of this access bind, by its name."""
        return {ME: self.principal.id}

    @property
    def restricts(self) -> Access | None:
        """The access, where it restricts anything; plans are kept by it."""
        return None if self.access.is_open else self.access

    def sending(self, keys: Collection[str]) -> Permit:
        """Narrow it to what may be done with a body that has these fields.

        Raises:
            AccessError: CLN300, CLN301: no grant allows all of them at once.
        """
        return self._narrowed(self.access.sending(keys))

    def keeping(self, values: Mapping[str, object]) -> Permit:
        """Narrow it to what may be done with a row that gets these values.

        Raises:
            AccessError: CLN300, CLN301: the row would leave what the principal may change.
        """
        return self._narrowed(self.access.keeping(values, self.principal.id))

    def showing(self, key: str) -> Permit:
        """Narrow it to the rows in which a field is seen, so that they may be found by it.

        Raises:
            AccessError: CLN300, CLN301: it is seen in none.
        """
        return self._narrowed(self.access.showing(key))

    def require(self, value_of: Callable[[str], object]) -> None:
        """Refuse a row that is not in reach, by the values of its columns.

        Raises:
            AccessError: CLN300, CLN301.
        """
        if not self.access.has(value_of, self.principal.id):
            raise refusal(self.principal)

    def _narrowed(self, access: Access) -> Permit:
        if access is self.access:
            return self
        if not access.grants:
            raise refusal(self.principal)
        return Permit(access, self.principal)

    @property
    def before(self) -> Permit | None:
        """The permit to see what a change is going to change; None where everything is seen."""
        shows = self.access.shows
        return None if shows is None or shows.is_open else Permit(shows, self.principal)

    @property
    def after(self) -> Permit | None:
        """The permit to see what a change has made, even of a row that has left its reach; None where everything is."""
        shows = self.access.shows
        return None if shows is None or shows.is_open else Permit(shows.unbounded, self.principal)


def bound_by(permit: Permit | None) -> dict[str, object]:
    """Give the values that statements of a permit bind; none where there is no permit."""
    return {} if permit is None else permit.bound


class Gate:
    """Tells what principals may do with the rows of one model, and remembers what it found for each standing.

    Args:
        facts: of the table.
    """

    def __init__(self, facts: TableFacts) -> None:
        self._facts = facts
        self._known: dict[tuple[Operation, str | None, bool, frozenset[str] | None], Access] = {}

    def permit(self, operation: Operation, principal: Principal) -> Permit:
        """Let somebody in, with whatever restrictions apply.

        Raises:
            UnauthenticatedError: CLN300, no grant is for anybody; signing in may help.
            ForbiddenError: CLN301, no grant applies to the principal.
        """
        return Permit(self._access(operation, principal), principal)

    def sight(self, principal: Principal, operation: Operation = "read") -> Permit | None:
        """Let somebody read; None where nothing is hidden from them, which is told in half the time.

        Raises:
            AccessError: CLN300, CLN301.
        """
        access = self._access(operation, principal)
        return None if access.is_open else Permit(access, principal)

    def _access(self, operation: Operation, principal: Principal) -> Access:
        access = self._known.get((operation, principal.role, principal.id is None, principal.scopes))
        if access is None:
            access = self._find(operation, principal)
        if not access.grants:
            raise refusal(principal)
        return access

    def _find(self, operation: Operation, principal: Principal) -> Access:
        access = access_to(self._facts.model, operation, standing_of(principal))
        if len(self._known) >= MAX_ACCESSES:
            del self._known[next(iter(self._known))]
        self._known[operation, principal.role, principal.id is None, principal.scopes] = access
        return access


def refusal(principal: Principal) -> UnauthenticatedError | ForbiddenError:
    """Make the refusal of somebody who may not do something."""
    if principal.is_anonymous:
        return UnauthenticatedError("Sign in to do this.")
    return ForbiddenError("Your account may not do this.")


def access_to(model: type[DeclarativeBase], operation: Operation, standing: Standing = NOBODY) -> Access:
    """Give what a standing may do with the rows of a model; without grants where it may nothing."""
    known: dict[tuple[Operation, Standing], Access] = WORKED_OUT.setdefault(model, {})
    found = known.get((operation, standing))
    if found is None:
        if len(known) >= MAX_ACCESSES:
            del known[next(iter(known))]
        found = known[operation, standing] = _make(read_facts(model), operation, standing)
    return found


def _make(facts: TableFacts, operation: Operation, standing: Standing) -> Access:
    grants = _applying(facts, operation, standing)
    if operation == "read":
        return Access(facts, standing, grants, _leads_nowhere_closed(facts.model, standing))
    reads = access_to(facts.model, "read", standing)
    is_open = reads.is_open and any(grant.of_all_rows and grant.write is None for grant in grants)
    if operation == "read_deleted":
        return replace(reads, grants=reads.grants if grants else (), is_open=is_open, of_deleted=grants, _narrowed={})
    if operation == "create":
        # Who makes a row has said what is in it, and sees it as it became, whatever rows may be read later on.
        own = tuple(replace(grant, own=None, where=()) for grant in grants)
        seen = replace(reads, grants=(*reads.grants, *own), is_open=is_open, is_tagged_as=reads, _narrowed={})
        return Access(facts, standing, grants, is_open, seen.unbounded)
    return Access(facts, standing, grants, is_open, reads)


def _applying(facts: TableFacts, operation: Operation, standing: Standing) -> tuple[Grant, ...]:
    policy = policy_of(facts.model)
    if policy is None:
        return (EVERYTHING,)
    return tuple(grant for grant in policy.grants if grant.applies(operation, facts.table.name, standing))


def _leads_nowhere_closed(
    model: type[DeclarativeBase], standing: Standing, seen: set[type[DeclarativeBase]] | None = None
) -> bool:
    """Tell whether every row of a model, and of all that its relations lead to, is seen whole."""
    seen = {model} if seen is None else seen | {model}
    try:
        facts = read_facts(model)
    except DeclarationError:
        return True  # no resource can be made of it, so that it has no policy
    if not any(grant.shows_everything for grant in _applying(facts, "read", standing)):
        return False
    further = {relation.target for relation in facts.relations.values()} - seen
    return all(_leads_nowhere_closed(target, standing, seen | further) for target in further)
