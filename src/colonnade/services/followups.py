"""What follows from a change: the jobs that its service asks for, stored in its own transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.services.blueprint import Blueprint
from colonnade.services.hooks import Change


class Followups:
    """Asks for the jobs that follow from the changes of one resource.

    Args:
        blueprint: the resource.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._service = blueprint.service
        self.are_needed = blueprint.service.overrides("jobs")

    async def store(self, session: AsyncSession, change: Change) -> None:
        """Store them.

        Args:
            session: of the change's transaction.
            change: made, and not committed; its id is known.
        """
        if change.action in {"update", "replace"} and not change.values:
            return  # nothing was changed
        for request in self._service.jobs(change):
            await request.enqueue(session)
