"""Whom a grant is for, and what of a principal decides that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from colonnade.policy.principal import Principal


class Standing(NamedTuple):
    """All of a principal that grants ask for: not who it is, but what it is. Many principals share one.

    Attributes:
        signed_in: whether somebody stands behind the request.
        role: of the account.
        scopes: what an API key is confined to; None where nothing confines the account.
    """

    signed_in: bool = False
    role: str | None = None
    scopes: frozenset[str] | None = None


NOBODY = Standing()
"""Of those who have not signed in."""


def standing_of(principal: Principal) -> Standing:
    """Take from a principal what grants ask for."""
    return NOBODY if principal.is_anonymous else Standing(True, principal.role, principal.scopes)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a grant is for: `anyone`, `signed_in`, or `role(...)`.

    Attributes:
        signed_in: only those who have.
        roles: only accounts of one of these; of any when empty.
    """

    signed_in: bool = False
    roles: frozenset[str] = frozenset()

    def includes(self, standing: Standing) -> bool:
        """Tell whether somebody of this standing belongs to it."""
        if not self.signed_in:
            return True
        return standing.signed_in and (not self.roles or standing.role in self.roles)

    def __str__(self) -> str:
        """Name it as its declaration does."""
        if self.roles:
            return ", ".join(sorted(self.roles))
        return "signed in" if self.signed_in else "anyone"


anyone = Audience()
"""Everybody, those who have not signed in too."""

signed_in = Audience(signed_in=True)
"""Everybody who has signed in, whatever the account's role."""


def role(*names: str) -> Audience:
    """Accounts of one of these roles.

    Args:
        names: as the account's row has them; members of a `StrEnum` do.
    """
    return Audience(signed_in=True, roles=frozenset(str(name) for name in names))
