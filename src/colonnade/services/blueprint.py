"""What a resource is, once declared: everything that the use cases need, free of HTTP."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from pydantic import BaseModel

from colonnade.models.facts import TableFacts
from colonnade.query.plan import Source
from colonnade.schemas.projection import read_projection
from colonnade.services.hooks import Service

MAX_PLANS = 1_000
"""Shapes kept per resource; a client that tries every combination must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One resource.

    Attributes:
        plural: the key of its lists, e.g. `users`.
        facts: its table.
        create, update, response: its schemas.
        service: its rules.
    """

    plural: str
    facts: TableFacts
    create: type[BaseModel]
    update: type[BaseModel]
    response: type[BaseModel]
    service: Service = field(default_factory=Service)

    @property
    def label(self) -> str:
        """What a person calls one row, e.g. `User`."""
        return self.facts.model.__name__

    def source(self) -> Source:
        """Give what is read: a projection where the response is one and no read hook wants to see the rows."""
        computes = self.service.overrides("after_read")
        return Source(self.facts, None if computes else read_projection(self.response, self.facts))


class PlanCache(dict[Hashable, object]):
    """Plans by shape; when it is full, the oldest one goes, which a client that asks for it again has made anew."""

    def __setitem__(self, shape: Hashable, plan: object) -> None:
        if len(self) >= MAX_PLANS:
            del self[next(iter(self))]
        super().__setitem__(shape, plan)
