"""Who asks: what a request has proved about its sender."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request.

    Attributes:
        id: of the account's row; None for somebody who has not signed in.
        role: of the account, as it stands in the database at this request.
        scopes: what an API key is confined to; None where nothing confines the account.
    """

    id: object = None
    role: str | None = None
    scopes: frozenset[str] | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody has signed in."""
        return self.id is None

    @property
    def key(self) -> str:
        """Tells principals apart in keys and logs; empty for anybody."""
        return "" if self.id is None else f"account:{self.id}"


ANONYMOUS = Principal()
"""Anybody: no credentials came with the request."""
