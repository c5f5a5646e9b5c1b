"""The history of a row, as the row's own page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from colonnade.admin.client import ResourceClient
from colonnade.admin.row import Row
from colonnade.core.errors import ProblemError
from colonnade.core.json import dump_json

PAGE_SIZE = 10
PAGE = "history"
"""Parameter of the row's page: which page of its history is shown."""

_KEY = "account:"


@dataclass(frozen=True, slots=True)
class Who:
    """Who made a change: what is shown, and the key of the view and of the row where there is a page of it."""

    label: str
    page: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One change.

    Attributes:
        changes: label, what was there before, what after; None of both for a secret.
    """

    operation: str
    changed_at: datetime
    who: Who
    version: int | None
    request_id: str | None
    changes: list[tuple[str, str | None, str | None]]


@dataclass(frozen=True, slots=True)
class ShownHistory:
    """A page of a row's history, the newest change first."""

    entries: list[ShownEntry]
    page: int
    pages: int
    total: int


class HistoryClient:
    """Asks for the histories of a resource's rows.

    Args:
        client: of the resource.
        accounts: of the accounts, whose rows say who it was; None where they are no resource of the page.
    """

    def __init__(self, client: ResourceClient, accounts: ResourceClient | None) -> None:
        self._client = client
        self._accounts = accounts

    async def of(self, request: Request, id: object, labels: Mapping[str, str]) -> ShownHistory | None:
        """Read a page of a row's history; None where there is none to be seen.

        Args:
            request: of the row's page.
            id: of the row.
            labels: of its fields.
        """
        if not self._client.can("GET", "/{id}/history"):
            return None
        wanted = request.query_params.get(PAGE, "1")
        page = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 5 else 1
        query = {"page": max(page, 1), "page_size": PAGE_SIZE}
        try:
            found = await self._client.ask(request, "GET", "/{id}/history", id=id, query=query)
        except ProblemError:
            return None
        names = {key: await self._who(request, key) for key in {entry["principal"] for entry in found["history"]}}
        entries = [_shown(entry, names[entry["principal"]], labels) for entry in found["history"]]
        return ShownHistory(entries, page, -(-found["total"] // PAGE_SIZE), found["total"])

    async def _who(self, request: Request, key: str | None) -> Who:
        """Say who a principal is; one whose account is gone is known by its key alone."""
        if key is None:
            return Who("the application")
        id = key.removeprefix(_KEY)
        if self._accounts is None or id == key:
            return Who(key)
        try:
            row = await self._accounts.ask(request, "GET", "/{id}", id=id)
        except ProblemError:
            return Who(f"account {id}")
        return Who(Row(row, self._accounts.resource.blueprint.facts).label, self._accounts.resource.path, id)


def _shown(entry: Mapping[str, Any], who: Who, labels: Mapping[str, str]) -> ShownEntry:
    changes = [
        (labels.get(key, key.replace("_", " ").capitalize()), *_both(change))
        for key, change in entry["changes"].items()
    ]
    changed_at = datetime.fromisoformat(entry["changed_at"])
    return ShownEntry(entry["operation"], changed_at, who, entry["version"], entry["request_id"], changes)


def _both(change: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return (_text(change["before"]), _text(change["after"])) if change else (None, None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else dump_json(value).decode()
