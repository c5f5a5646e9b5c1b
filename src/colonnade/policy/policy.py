"""A policy: all grants of one table. Each model has one at the most, wherever its rows are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import TableFacts
from colonnade.policy.grant import Grant


@dataclass(frozen=True, slots=True, init=False)
class Policy:
    """Who may do what with the rows of one table: grants, and whatever none of them allows is denied.

    Args:
        grants: see `allow`; a row that two of them reach may be treated as either allows.
    """

    grants: tuple[Grant, ...]

    def __init__(self, *grants: Grant) -> None:
        object.__setattr__(self, "grants", grants)

    def faults(self, facts: TableFacts, shown: Collection[str], sent: Collection[str]) -> Iterator[str]:
        """Tell what can't work.

        Args:
            facts: of the table.
            shown: fields of the response.
            sent: fields of the bodies.
        """
        seen = {*facts.columns, *facts.relations, *shown}
        for grant in self.grants:
            for key in sorted(grant.columns - facts.columns.keys()):
                yield f"its policy tells rows by '{key}', which is no column"
            for key in sorted(((grant.show or frozenset()) | grant.hide) - seen):
                yield f"its policy shows or hides '{key}', which is no field"
            for key in sorted((grant.write or frozenset()) - set(sent)):
                yield f"its policy lets '{key}' be written, which no body has"


WORKED_OUT: WeakKeyDictionary[type[DeclarativeBase], dict[Any, Any]] = WeakKeyDictionary()
"""What `access_to` has found so far, by model."""

_POLICIES: WeakKeyDictionary[type[DeclarativeBase], Policy] = WeakKeyDictionary()


def govern(model: type[DeclarativeBase], policy: Policy | None) -> None:
    """Put the rows of a model under a policy, wherever they are read or changed; None leaves them as they are.

    Raises:
        DeclarationError: they are under another one.
    """
    if policy is None:
        return
    if model not in _POLICIES:
        WORKED_OUT.clear()  # what was found before, of this model or of one that leads to it, holds no longer
    if _POLICIES.setdefault(model, policy) != policy:
        raise DeclarationError(f"{model.__name__} has a policy already; its rows can't be under two different ones")


def policy_of(model: type[DeclarativeBase]) -> Policy | None:
    """Give the policy that a model's rows are under."""
    return _POLICIES.get(model)
