"""One route of a resource, before FastAPI is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from colonnade.api.operations import GetRow, Operation
from colonnade.api.problems import Problem


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route of a resource: its place, what it does, and what OpenAPI says of it.

    Attributes:
        status: of an answer that says it was done; by the method when None.
    """

    method: str
    path: str
    operation: Operation
    summary: str
    shown: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    status: int | None = None

    @property
    def success(self) -> int:
        """The status of success."""
        return self.status or {"POST": 201, "DELETE": 204}.get(self.method, 200)

    def problems(self) -> dict[int | str, dict[str, Any]]:
        """Describe the refusals that may be answered."""
        writes, has_body = self.method != "GET", self.body is not None
        told = {422: "Values that do not fit", 503: "The database is away or too busy"}
        if not writes or has_body:
            told[400] = "A query or body that can't be read"
        if "{id}" in self.path or "bulk" in self.path:
            told[404] = "No such row"
        if writes:
            told[409] = "Refused by the rows that are stored"
        if "{id}" in self.path and writes:
            told[412] = "The row is not as `If-Match` demands"
        if getattr(self.operation, "demands", False):
            told[428] = "The resource wants a precondition"
        if has_body:
            told |= {413: "The body is too large", 415: "The body is not JSON"}
        found: dict[int | str, dict[str, Any]] = {
            status: {"model": Problem, "description": told[status]} for status in sorted(told)
        }
        if isinstance(self.operation, GetRow):
            found[304] = {"description": "The client has it already (`If-None-Match`)"}
        return found
