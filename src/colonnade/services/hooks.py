"""Where an application says its own rules: a service class per resource, with a hook before and after each change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from colonnade.jobs.request import JobRequest
from colonnade.policy.access import Permit
from colonnade.policy.principal import ANONYMOUS, Principal
from colonnade.query.precondition import UNCONDITIONAL, Precondition

Action = Literal["create", "update", "replace", "delete", "restore"]


@dataclass(slots=True)
class Change:
    """One change on its way through the hooks.

    Attributes:
        action: what is being done.
        id: of the row; None before it is created.
        values: what the client sent, by attribute; a hook may add, alter and take out. Whatever is left after the
            `before_` hook goes into the columns of the same names.
        row: the model's instance: before an update or delete the row as it is, locked; afterwards as it became. None
            around a creation.
        notes: the application's own, from one hook to the next.
        permanent: a deletion for good, where the table knows soft deletion as well.
        precondition: what the client demands of the row; it holds when a `before_` hook is called.
        permit: by which the change is made; None for one of the application's own, of which nothing is asked.
    """

    action: Action
    values: dict[str, Any]
    id: Any = None
    row: Any = None
    notes: dict[str, Any] = field(default_factory=dict)
    permanent: bool = False
    precondition: Precondition = UNCONDITIONAL
    permit: Permit | None = None
    _session: AsyncSession | None = None

    @property
    def principal(self) -> Principal:
        """Who makes the change."""
        return ANONYMOUS if self.permit is None else self.permit.principal

    @property
    def session(self) -> AsyncSession:
        """The session of the change's own transaction; it is there from the `before_` to the `after_` hook."""
        if self._session is None:
            raise RuntimeError("there is no session in prepare() and after_commit(): the transaction is not open")
        return self._session


class Service:
    """The rules of one resource: subclass it, override what is needed, and hand it to `Resource`.

    Order: `prepare`, then the transaction opens, `before_<action>`, the statement, `after_<action>`, `jobs`, commit,
    `after_commit`, response. A hook before the commit that raises rolls everything back; raise `RuleError` (422) or
    `ConflictError` (409) to tell the client why. A resource whose service overrides none of the four inside the transaction
    is written by one planned statement, several times as fast.

    Attributes:
        publishes: each change is an event (`orders.created`, `.updated`, `.deleted`, `.restored`) that webhooks tell of.
    """

    publishes: ClassVar[bool] = False

    async def prepare(self, change: Change) -> None:
        """Before the transaction: checks and slow work (hashing, calls to others) that need no database."""

    async def before_create(self, change: Change) -> None:
        """Inside the transaction, before the INSERT; `change.values` may be altered."""

    async def after_create(self, change: Change) -> None:
        """Inside the transaction, after the INSERT; `change.id` is known, and `change.row` is None: nothing has read it.

        `await change.session.get(Model, change.id)` does, by one more statement.
        """

    async def before_update(self, change: Change) -> None:
        """Inside the transaction, before the UPDATE; `change.row` is the row as it is, locked."""

    async def after_update(self, change: Change) -> None:
        """Inside the transaction, after the UPDATE; `change.row` is the row as it became."""

    async def before_delete(self, change: Change) -> None:
        """Inside the transaction, before the DELETE; `change.row` is the row as it is, locked."""

    async def after_delete(self, change: Change) -> None:
        """Inside the transaction, after the DELETE."""

    async def before_restore(self, change: Change) -> None:
        """Inside the transaction, before a soft deletion is undone; `change.row` is the row as it is, locked."""

    async def after_restore(self, change: Change) -> None:
        """Inside the transaction, once it is back; `change.row` is the row as it became."""

    def jobs(self, change: Change) -> Iterable[JobRequest]:
        """Ask for the jobs that follow from a change, by `some_job.request(...)`: they are stored in its transaction.

        Called when the change is made, once more for each try of its transaction; `change.id` is known. For an update or a
        deletion also beforehand: would anything follow? No hook inside the transaction is needed for it, and a change
        without one is still made by its planned statement.
        """
        return ()

    async def after_commit(self, change: Change) -> None:
        """Once the commit stands and before the response; it can't undo anything, and a crash just before loses it.

        What it raises is logged, and the change is answered as stored. What must not be lost is a job (`jobs`).
        """

    async def after_read(self, session: AsyncSession, rows: Sequence[Any]) -> None:
        """After rows were read and before they are shown; overriding it sends reads the ORM and Pydantic way."""

    def overrides(self, hook: str) -> bool:
        """Tell whether a subclass has its own hook of this name."""
        return getattr(type(self), hook) is not getattr(Service, hook)

    @cached_property
    def transactional(self) -> frozenset[str]:
        """The actions that have a hook inside the transaction."""
        return frozenset(
            action
            for action in ("create", "update", "delete", "restore")
            if self.overrides(f"before_{action}") or self.overrides(f"after_{action}")
        )
