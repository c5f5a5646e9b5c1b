"""Where cached answers are kept."""

from __future__ import annotations

from typing import Protocol

MAX_ENTRY = 1_048_576
"""Bytes of one entry; a larger one is not kept."""


class Entries(Protocol):
    """Keeps bytes by keys for some time; it may forget them earlier, and never raises."""

    async def get(self, key: str) -> bytes | None:
        """Give what is kept; None when nothing is, or the store does not answer."""
        ...

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep bytes for so many seconds at most."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...
