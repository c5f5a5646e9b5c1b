"""What a dialect's module offers the compiled way: one read, or one transaction, on the driver's own connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from colonnade.query.compile import Statement

__all__ = ["Driver", "Follow", "Outcome", "Statement", "UnsureError"]


class Outcome(NamedTuple):
    """What a statement gave: its rows (none when it returns none) and how many it affected or gave."""

    rows: Sequence[Sequence[Any]]
    affected: int


Follow: TypeAlias = Callable[[Sequence[Outcome]], Sequence[Statement]]
"""Gives the statements that complete a change from what those before them gave: quick, on any thread, once for each try."""


class UnsureError(Exception):
    """The connection was lost while a COMMIT was under way: what it would have made durable may be stored or not."""


class Driver(Protocol):
    """A database's own connection, borrowed for one read or one transaction at a time."""

    @property
    def stamp_sql(self) -> str | None:
        """What `stamp` asks the server; None where it asks none."""
        ...

    async def fetch(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """Run one read outside any transaction and give all its rows."""
        ...

    async def commit(self, statements: Sequence[Statement], follow: Follow | None = None) -> list[Outcome]:
        """Run statements in one transaction, and what follows from them; durable on return, or raise with nothing stored.

        Returns:
            One outcome for each statement, those that followed included.

        Raises:
            UnsureError: nobody can tell whether it was stored.
        """
        ...

    async def stamp(self) -> object | None:
        """Give a value that stays equal for as long as nobody commits anything; None where there is none so cheap."""
        ...

    async def estimate(self, statement: Statement) -> int | None:
        """Guess how many rows a statement would give, without running it; None where the database does not."""
        ...

    async def dispose(self) -> None:
        """Close what the driver itself holds; the engine's pool is not among it."""
        ...
