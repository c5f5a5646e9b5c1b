"""Many changes of one resource in one transaction: all of them or none, or each by itself.

Where nothing wants to look at the single rows, a few planned statements do it all. When the database refuses one of those,
nothing is stored, and the changes are made again one after the other, which tells the guilty one by its place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from colonnade.core.errors import Fault, ForeignKeyError, ProblemError, ServerError, StateError
from colonnade.database.database import Database
from colonnade.database.driver import Outcome, Statement
from colonnade.database.unit_of_work import UnitOfWork
from colonnade.policy.access import Permit, bound_by
from colonnade.query.parents import parents_of
from colonnade.query.precondition import UNCONDITIONAL, Precondition
from colonnade.query.request import View
from colonnade.query.shape import Row, Shown
from colonnade.query.wire import key_converter_of
from colonnade.services.applying import view_after
from colonnade.services.blueprint import PlanCache
from colonnade.services.family import delete_together
from colonnade.services.history import Snapshot
from colonnade.services.hooks import Action, Change
from colonnade.services.many_rows import ManyRows
from colonnade.services.reading import Reader
from colonnade.services.references import hold_all_parents
from colonnade.services.writing import Writer

MAX_ITEMS = 1_000

Guard = Callable[[UnitOfWork], Awaitable[None]]
Planned = Callable[[Database, Sequence[Change], Guard | None], Awaitable["list[Shown]"]]


class Item(NamedTuple):
    """One change of many.

    Attributes:
        at: JSON Pointer of its place in the body, e.g. `/items/57`.
        precondition: what must hold of the row.
        permit: of whoever makes it.
    """

    action: Action
    at: str
    values: dict[str, Any]
    id: object = None
    precondition: Precondition = UNCONDITIONAL
    permit: Permit | None = None


class Done(NamedTuple):
    """What became of one change: the row as it is shown (None when it was deleted), or why it was refused."""

    action: Action
    shown: Shown | None = None
    problem: ProblemError | None = None


class BulkWriter:
    """Changes many rows of one resource.

    Args:
        writer: changes one of them.
        reader: shows them.
    """

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self.writer = writer
        self.reader = reader
        self.facts = reader.facts
        self._rows = PlanCache()

    async def together(self, database: Database, items: Sequence[Item], guard: Guard | None = None) -> list[Shown]:
        """Make all changes, or none.

        Args:
            database: where.
            items: at most `MAX_ITEMS`, each of another row.
            guard: asked first thing in the transaction; it raises where the changes may not be made.

        Returns:
            The rows as they became, in the order of the items; none for those that were deleted.

        Raises:
            ProblemError: what was wrong with one of them; its faults begin with the item's place.
        """
        changes = self._prepared_at_once(items) or [await self._prepared(item) for item in items]
        if (planned := self._planned(items, changes)) is not None:
            try:
                return await database.retry(lambda: planned(database, changes, guard))
            except StateError:
                pass  # which of the items it was is told by making them one by one
        return await database.retry(lambda: self._one_by_one(database, items, changes, guard))

    async def singly(self, database: Database, items: Sequence[Item | ProblemError]) -> list[Done]:
        """Make each change that can be made, all in one transaction with a savepoint for each.

        Args:
            database: where.
            items: or, in the place of one that could not even be read, why.

        Returns:
            What became of each, in their order.
        """
        ready: list[tuple[Item, Change] | ProblemError] = []
        for item in items:
            try:
                ready.append(item if isinstance(item, ProblemError) else (item, await self._prepared(item)))
            except ServerError:
                raise
            except ProblemError as error:
                ready.append(error)
        return await database.retry(lambda: self._each(database, ready))

    def _prepared_at_once(self, items: Sequence[Item]) -> list[Change] | None:
        """Begin changes that no hook wants to prepare, and check them; None where each is to be begun by itself."""
        if self.writer.blueprint.service.overrides("prepare"):
            return None
        if not all(self.writer.is_planned(action) for action in {item.action for item in items}):
            return None
        changes = [
            Change(item.action, dict(item.values), item.id, precondition=item.precondition, permit=item.permit)
            for item in items
        ]
        return changes if self.writer.check.all_pass(changes) else None

    async def _prepared(self, item: Item) -> Change:
        try:
            change = await self.writer.prepare(
                item.action, item.id, dict(item.values), item.precondition, permit=item.permit
            )
            if self.writer.is_planned(item.action):
                self.writer.check(change)
        except ProblemError as error:
            raise at_item(error, item.at) from error
        return change

    def _planned(self, items: Sequence[Item], changes: Sequence[Change]) -> Planned | None:
        """Choose the few statements that make all changes; None where each row needs its own."""
        action = items[0].action
        if self.writer.take_children_along(changes):
            return self._delete_all
        if not self.writer.is_planned(action) or any(item.action != action for item in items):
            return None
        if action == "create":
            return self._create_all
        if action == "delete":
            return self._each_by_its_statement
        return self._planned_update(items, changes)

    def _planned_update(self, items: Sequence[Item], changes: Sequence[Change]) -> Planned | None:
        if not all(change.values for change in changes):
            return None
        first = changes[0]
        same = all(change.values == first.values and change.permit == first.permit for change in changes)
        is_free = all(item.precondition is UNCONDITIONAL for item in items)
        return self._update_all if same and is_free else self._each_by_its_statement

    async def _create_all(self, database: Database, changes: Sequence[Change], guard: Guard | None) -> list[Shown]:
        permit = changes[0].permit
        items = [change.values for change in changes]
        planned = self._rows_for(permit).insert(database, items, bound_by(permit))
        if parents_of(self.facts.model) or self.writer.followups.are_needed or self.writer.history.is_kept:
            outcomes = await self._insert_with_others(database, changes, planned)
        else:
            outcomes = await database.commit(planned)
        rows = [row for outcome in outcomes for row in outcome.rows]
        return await self._finished(database, changes, rows)

    async def _insert_with_others(
        self, database: Database, changes: Sequence[Change], planned: Sequence[Statement]
    ) -> list[Outcome]:
        """Create rows in a transaction that looks at their parents first, and stores what goes with the rows."""
        async with database.unit_of_work() as unit:
            await hold_all_parents(unit.session, self.facts, [change.values for change in changes])
            outcomes = [await unit.run(one) for one in planned]
            rows = [row for outcome in outcomes for row in outcome.rows]
            await self._complete(unit, self._identified(database, changes, rows), {})
            await unit.commit()
        return outcomes

    def _identified(self, database: Database, changes: Sequence[Change], rows: Sequence[Row]) -> list[Change]:
        """Give each change the id of its row."""
        convert = key_converter_of(self.facts.identity, database.dialect)
        at = self.writer.plans.selection(changes[0].permit).identity
        return [replace(change, id=convert(row[at])) for change, row in zip(changes, rows, strict=True)]

    async def _complete(self, unit: UnitOfWork, changes: Sequence[Change], before: Snapshot) -> None:
        """Store the history of changes that were made, and the jobs that follow from them."""
        await self.writer.history.record(unit.session, changes, before)
        if self.writer.followups.are_needed:
            await self.writer.followups.store(unit.session, changes)

    async def _update_all(self, database: Database, changes: Sequence[Change], guard: Guard | None) -> list[Shown]:
        convert = key_converter_of(self.facts.identity, database.dialect)
        ids, permit = [change.id for change in changes], changes[0].permit
        at = self.writer.plans.selection(permit).identity
        planned = self._rows_for(permit).update(database, ids, changes[0].values, bound_by(permit))
        async with database.unit_of_work() as unit:
            if guard is not None:
                await guard(unit)
            await hold_all_parents(unit.session, self.facts, [changes[0].values])
            before = await self.writer.history.look(unit.session, changes)
            outcomes = [await unit.run(one) for one in planned]
            found = {convert(row[at]): row for row in outcomes[-1].rows}
            missed = [id for id in ids if id not in found]
            # Without RETURNING the second statement shows rows out of reach, too.
            if missed or outcomes[0].affected < len(ids):
                raise self.reader.missing((missed or ids)[0])
            await self._complete(unit, changes, before)
            await unit.commit()
        return await self._finished(database, changes, [found[id] for id in ids])

    async def _delete_all(self, database: Database, changes: Sequence[Change], guard: Guard | None) -> list[Shown]:
        ids = [change.id for change in changes]
        async with database.unit_of_work() as unit:
            if guard is not None:
                await guard(unit)
            before = await self.writer.history.look(unit.session, changes)
            if await delete_together(replace(changes[0], _session=unit.session), self.facts.model, ids) < len(ids):
                raise self.reader.missing(ids[0])  # which of them is told by making them one by one
            await self._complete(unit, changes, before)
            await unit.commit()
        for change in changes:
            await self.writer.finish(database, change)
        return []

    async def _each_by_its_statement(
        self, database: Database, changes: Sequence[Change], guard: Guard | None
    ) -> list[Shown]:
        rows: list[Row] = []
        async with database.unit_of_work() as unit:
            if guard is not None:
                await guard(unit)
            before = await self.writer.history.look(unit.session, changes)
            for change in changes:
                outcomes = [await unit.run(statement) for statement in self.writer.plans.of(database, change)]
                if not outcomes[0].affected:
                    raise self.reader.missing(change.id)  # or stale: which, is told by making them one by one
                rows += outcomes[-1].rows if change.action != "delete" else ()
            await self._complete(unit, changes, before)
            await unit.commit()
        if rows:
            return await self._finished(database, changes, rows)
        for change in changes:
            await self.writer.finish(database, change)
        return []

    async def _finished(self, database: Database, changes: Sequence[Change], rows: Sequence[Row]) -> list[Shown]:
        read = self.reader.compiled_get(database, view_after(changes[0]))
        assert read is not None  # the writer plans nothing else
        if self.writer.blueprint.service.overrides("after_commit"):
            convert = key_converter_of(self.facts.identity, database.dialect)
            for change, row in zip(changes, rows, strict=True):
                change.id = convert(row[self.writer.plans.selection(change.permit).identity])
                await self.writer.finish(database, change)
        return read.shape(rows)

    def _rows_for(self, permit: Permit | None) -> ManyRows:
        access = None if permit is None else permit.restricts
        if access not in self._rows:
            self._rows[access] = ManyRows(self.facts, self.writer.plans.selection(permit), access)
        return self._rows[access]  # type: ignore[return-value]  # nothing else is put there

    async def _one_by_one(
        self, database: Database, items: Sequence[Item], changes: Sequence[Change], guard: Guard | None
    ) -> list[Shown]:
        attempts: list[Change] = []
        async with database.unit_of_work() as unit:
            if guard is not None:
                await guard(unit)
            for item, change in zip(items, changes, strict=True):
                try:
                    attempts.append(await self._apply(unit, change))
                except Exception as error:
                    raise await self._told(database, unit, item, error) from error
            shown = await self._shown_in(unit, attempts)
            await unit.commit()
        for attempt in attempts:
            await self.writer.finish(database, attempt)
        return [shown[attempt.id] for attempt in attempts if attempt.action != "delete"]

    async def _shown_in(self, unit: UnitOfWork, attempts: Sequence[Change]) -> dict[object, Shown]:
        """Show the rows that are left, each as whoever made that change sees it."""
        left: dict[View, list[object]] = defaultdict(list)
        for attempt in attempts:
            if attempt.action != "delete":
                left[view_after(attempt)].append(attempt.id)
        shown: dict[object, Shown] = {}
        for view, ids in left.items():
            shown |= await self.reader.show_in(unit.session, ids, view)
        return shown

    async def _each(self, database: Database, ready: Sequence[tuple[Item, Change] | ProblemError]) -> list[Done]:
        results: list[Change | ProblemError] = []
        async with database.unit_of_work() as unit:
            for one in ready:
                results.append(one if isinstance(one, ProblemError) else await self._attempt(database, unit, *one))
            attempts = [result for result in results if isinstance(result, Change)]
            shown = await self._shown_in(unit, attempts)
            await unit.commit()
        for attempt in attempts:
            await self.writer.finish(database, attempt)
        return [
            Done("update", problem=result)
            if isinstance(result, ProblemError)
            else Done(result.action, shown.get(result.id))
            for result in results
        ]

    async def _attempt(self, database: Database, unit: UnitOfWork, item: Item, change: Change) -> Change | ProblemError:
        try:
            async with unit.session.begin_nested():
                return await self._apply(unit, change)
        except Exception as error:
            told = await self._told(database, unit, item, error)
            if isinstance(told, ServerError) or not isinstance(told, ProblemError):
                raise told from error
            return told

    async def _apply(self, unit: UnitOfWork, change: Change) -> Change:
        if change.action == "update" and not change.values:
            # Nothing to change; but the row has to be there, as it is demanded.
            await self.writer.look(unit, change)
            return change
        attempt = await self.writer.apply(unit, change)
        # The next change may be of rows that this one's hooks have looked at.
        unit.session.expunge_all()
        return attempt

    async def _told(self, database: Database, unit: UnitOfWork, item: Item, error: Exception) -> Exception:
        """Make the problem of an error, with the place of the item in each of its faults."""
        problem = database.translate(error)
        if isinstance(problem, ForeignKeyError):
            problem = await self.writer.located(database, problem, item.action, item.values, unit.session)
        return error if problem is None else at_item(problem, item.at)


def at_item(error: ProblemError, at: str) -> ProblemError:
    """Put an item's place before those that a problem names; one that names none gets it as its only one."""
    if not isinstance(error, ServerError):
        faults = error.faults or (Fault("refused", error.title + "."),)
        error.faults = tuple(replace(fault, pointer=at + (fault.pointer or "")) for fault in faults)
    return error
