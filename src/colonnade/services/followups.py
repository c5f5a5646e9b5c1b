"""What follows from a change, stored in its own transaction: the jobs of its service, and the event for subscribers."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.json import dump_json
from colonnade.models.clock import utc_now
from colonnade.services.blueprint import Blueprint
from colonnade.services.hooks import Change
from colonnade.services.reading import Reader
from colonnade.webhooks.event import event_request


class Followups:
    """Asks for the jobs that follow from the changes of one resource.

    Args:
        blueprint: the resource.
        reader: shows a row to its subscribers: the whole of it, as the resource's response does.
    """

    def __init__(self, blueprint: Blueprint, reader: Reader) -> None:
        self._service, self._plural = blueprint.service, blueprint.plural
        self._reader = reader
        self.are_needed = self._service.publishes or self._service.overrides("jobs")

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
        if self._service.publishes:
            data = dump_json({"id": change.id})
            if change.action != "delete":
                data = (await self._reader.read_in(session, change.id)).body
            await event_request(self._plural, change.action, data, utc_now()).enqueue(session)
