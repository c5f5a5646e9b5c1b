"""Importing a file: its rows are gathered while they are read, and stored in one transaction, all of them or none.

Whoever corrects a file and sends it again would otherwise make those rows a second time that were stored the first time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette_admin.importers.base import ImportResult, ImportRowError

from colonnade.admin.client import ResourceClient
from colonnade.core.errors import ProblemError
from colonnade.services.batch import in_one_transaction


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the file that is going to be a new one; `number` counts from 1."""

    number: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row of the file that changes one which is there already, by its id."""

    number: int
    id: Any
    body: dict[str, Any]


@dataclass(slots=True)
class Import:
    """The rows of one file.

    Attributes:
        new: those that are going to be made.
        changed: those that are there.
    """

    new: list[NewRow] = field(default_factory=list)
    changed: list[ChangedRow] = field(default_factory=list)
    _at: list[int] = field(default_factory=list)

    @property
    def next_number(self) -> int:
        """The number of the row that is read next, as long as none was refused."""
        return len(self.new) + len(self.changed) + 1

    def create(self, body: dict[str, Any]) -> None:
        """Have a row made."""
        self.new.append(NewRow(self.next_number, body))

    def change(self, id: Any, body: dict[str, Any]) -> None:
        """Have a row changed."""
        self.changed.append(ChangedRow(self.next_number, id, body))

    async def store(self, request: Request, client: ResourceClient, result: ImportResult) -> None:
        """Store all rows, unless one was refused already; what is refused now is noted in the result.

        Args:
            request: of the page; its principal asks.
            client: of the resource.
            result: of reading the file.
        """
        if not result.has_errors:
            try:
                await in_one_transaction(client.database, lambda joined: self._store(request, client.inside(joined)))
            except ProblemError as error:
                result.errors += _row_errors(error, self._at)
        if result.has_errors:
            result.rows_created = result.rows_updated = 0
            result.errors.append(ImportRowError(0, None, "Nothing was imported."))

    async def _store(self, request: Request, client: ResourceClient) -> None:
        if self.new and client.can("POST", "/bulk"):
            self._at = [row.number for row in self.new]
            items = [row.body for row in self.new]
            await client.ask(request, "POST", "/bulk", body={"items": items})
        else:
            for new in self.new:
                self._at = [new.number]
                await client.ask(request, "POST", body=new.body)
        for changed in self.changed:
            self._at = [changed.number]
            await client.ask(request, "PATCH", "/{id}", id=changed.id, body=changed.body)


def _row_errors(error: ProblemError, numbers: Sequence[int]) -> Iterator[ImportRowError]:
    """Say of which row, and which of its fields, a refusal is; of the whole file where it names none.

    Args:
        error: the refusal.
        numbers: of the rows that were sent.
    """
    alone = numbers[0] if len(numbers) == 1 else 0
    for fault in error.faults:
        place = (fault.pointer or "").split("/")[1:]
        if place[:1] == ["items"] and len(place) > 1:
            yield ImportRowError(numbers[int(place[1])], place[2] if len(place) > 2 else None, fault.message)
        else:
            yield ImportRowError(alone, place[0] if place else None, fault.message)
    if not error.faults:
        yield ImportRowError(alone, None, error.detail)
