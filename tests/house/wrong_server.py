"""An application that answers 200 and the wrong thing, for `test_benchmarks.py`."""

from __future__ import annotations

from benchmarks.bare import application


class Wrong:
    """A backend that knows one field of a user."""

    async def open(self) -> None:
        """Need nothing."""

    async def close(self) -> None:
        """Leave nothing."""

    async def get(self, number: int) -> bytes | None:
        """Give the id alone."""
        return b'{"id":%d}' % number

    async def page(self, skip: int, limit: int) -> bytes:
        """Give no users."""
        return b'{"users":[],"skip":%d,"limit":%d}' % (skip, limit)

    async def rename(self, number: int, full_name: str) -> bytes | None:
        """Change nothing."""
        return await self.get(number)


app = application(Wrong())
