"""One route of a resource, before FastAPI is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from colonnade.api.answer_headers import OF_STATUS, success_headers
from colonnade.api.caching import Caching
from colonnade.api.history import ListHistory
from colonnade.api.operations import GetOwnRow, GetRow, ListRows, Operation
from colonnade.api.problems import PROBLEM_CONTENT


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route of a resource: its place, what it does, and what OpenAPI says of it.

    Attributes:
        status: of an answer that says it was done; by the method when None.
        also: further refusals, by status.
        partly: what is answered with 207, where a request may be done in parts.
        caching: how its answers are cached, if they are.
        name: of the route, which is its id in OpenAPI; after its operation's class when empty.
        request_body: of OpenAPI, for a body that the operation reads by itself: a form, or one that may be left out.
        is_governed: not everybody may.
    """

    method: str
    path: str
    operation: Operation
    summary: str
    shown: Any = None
    body: type[BaseModel] | None = None
    status: int | None = None
    partly: type[BaseModel] | None = None
    also: Mapping[int, str] = field(default_factory=dict)
    request_body: Mapping[str, Any] | None = None
    is_governed: bool = False
    caching: Caching | None = None
    name: str = ""

    @property
    def success(self) -> int:
        """The status of success."""
        return self.status or {"POST": 201, "DELETE": 204}.get(self.method, 200)

    @property
    def apart(self) -> bool:
        """Whether the operation asks for credentials by itself, and takes part in nothing that is a resource's."""
        return bool(getattr(self.operation, "apart", False))

    @property
    def reads(self) -> bool:
        """Whether it takes a body."""
        return self.body is not None or self.request_body is not None

    @property
    def is_of_rows(self) -> bool:
        """Whether it is about rows that may be missing."""
        return bool(self.path) and not self.apart

    def answers(self) -> dict[int | str, dict[str, Any]]:
        """Describe every answer, and the headers of the usual one."""
        refused = self._refusals()
        found: dict[int | str, dict[str, Any]] = {
            status: {"description": refused[status], "content": dict(PROBLEM_CONTENT)} for status in sorted(refused)
        }
        if headers := success_headers(self.operation):
            found[self.success] = {"headers": headers}
        if isinstance(self.operation, GetRow | GetOwnRow):
            found[304] = {"description": "The client has it already (`If-None-Match`)"}
        if self.partly is not None:
            found[207] = {"model": self.partly, "description": "One result per item (`atomic=false`)"}
        for status in found.keys() & OF_STATUS.keys():
            found[status]["headers"] = OF_STATUS[int(status)]
        return found

    def _refusals(self) -> dict[int, str]:
        told = _OF_ALL | (_OF_READS if self.method == "GET" else _OF_WRITES)
        if self.is_governed:
            told |= {401: "Sign in first", 403: "Not for this account"}
        if self.reads:
            told |= _OF_BODIES
        if self.is_of_rows:
            told[404] = "No such row"
        if "{id}" in self.path and not isinstance(self.operation, ListRows | ListHistory):
            told[412] = "The row is not as `If-Match` demands"
        if getattr(self.operation, "demands", False):
            told[428] = "The resource wants a precondition"
        return told | dict(self.also)


_OF_ALL = {
    422: "Values that do not fit",
    429: "Too many requests",
    500: "Something unforeseen; the server's log has it under the request id",
    503: "The database is away or too busy",
}
_OF_READS = {400: "A query that can't be read"}
_OF_WRITES = {400: "A body or header that can't be read", 409: "Refused by the rows that are stored"}
_OF_BODIES = {413: "The body is too large", 415: "The body is not JSON"}
