"""What follows from a change, stored in its own transaction: the jobs of its service, and the event for subscribers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.core.json import dump_json
from colonnade.database.database import Database
from colonnade.jobs.request import JobRequest, PlannedJobs, enqueue_all
from colonnade.models.clock import utc_now
from colonnade.query.compile import Statement
from colonnade.query.shape import Row
from colonnade.services.blueprint import Blueprint
from colonnade.services.hooks import Change
from colonnade.services.reading import CompiledRead, Reader
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
        self._jobs = PlannedJobs()
        self.are_needed = self._service.publishes or self._service.overrides("jobs")

    def are_none(self, change: Change) -> bool:
        """Tell beforehand whether nothing follows from a change; a new row's id, which a job may name, is not known then."""
        if not self.are_needed:
            return True
        if self._service.publishes or change.action == "create":
            return False
        return not list(self._service.jobs(change))

    def planned(
        self, database: Database, change: Change, read: CompiledRead | None, row: Row | None
    ) -> list[Statement]:
        """Give the statements that store them behind a planned change.

        Args:
            database: where.
            change: made; its id is known.
            read: the plan that shows a row as its subscribers see it; of use only where the service publishes.
            row: as that plan selects it; None where it is gone.
        """
        requests = list(self._service.jobs(change))
        if self._service.publishes:
            shown = {"id": change.id} if read is None or row is None else read.shape([row])[0]
            requests.append(event_request(self._plural, change.action, dump_json(shown), utc_now()))
        return [self._jobs.statement(request, database.dialect) for request in requests]

    async def store(self, session: AsyncSession, changes: Sequence[Change]) -> None:
        """Store them.

        Args:
            session: of the transaction of the changes.
            changes: made, and not committed; their ids are known.
        """
        changes = [change for change in changes if change.values or change.action not in {"update", "replace"}]
        requests = [request for change in changes for request in self._service.jobs(change)]
        if self._service.publishes:
            requests += await self._events(session, changes)
        await enqueue_all(session, requests)

    async def _events(self, session: AsyncSession, changes: Sequence[Change]) -> list[JobRequest]:
        """Make the events of changes, the rows read once for all of them."""
        left = [change.id for change in changes if change.action != "delete"]
        shown = await self._reader.show_in(session, left) if left else {}
        now = utc_now()
        return [
            event_request(self._plural, change.action, dump_json(shown.get(change.id, {"id": change.id})), now)
            for change in changes
        ]
