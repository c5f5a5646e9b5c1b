"""Upsert: rows found by a unique key are changed, the others created, in one transaction.

The rows are looked up first and the right change is made of each item, on every database alike: MariaDB's ON DUPLICATE KEY
UPDATE would also change a row that collides by another unique column, and none of the databases' own ways calls hooks. Who
creates the same key in between has the unique constraint answer, and the whole is tried again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from colonnade.core.errors import ContentionError, Fault, InvalidBodyError, NotFoundError, UniqueError
from colonnade.database.database import Database
from colonnade.policy.access import Permit
from colonnade.query.plan import Source, plan_list
from colonnade.query.request import Paging, ReadRequest
from colonnade.query.shape import Shown
from colonnade.services.bulk import BulkWriter, Item

MAX_TRIES = 4

Key = tuple[object, ...]


class Upserter:
    """Creates or changes rows by a unique key.

    Args:
        bulk: makes the changes.
        key: attributes that no two rows share all of.
    """

    def __init__(self, bulk: BulkWriter, key: tuple[str, ...]) -> None:
        self.bulk = bulk
        self._key = key
        self._everything = plan_list(
            Source(bulk.facts, None), ReadRequest((), (), Paging("offset", 0, 0), "none")
        ).entities

    async def upsert(
        self,
        database: Database,
        items: Sequence[Item],
        sent: Sequence[Collection[str]],
        permit: Permit | None = None,
    ) -> list[Shown]:
        """Make every item's row be as the item says.

        Args:
            database: where.
            items: creates, with the key among their values.
            sent: the attributes of each that the client gave; only those change in a row that is there.
            permit: to change what is there.

        Raises:
            InvalidBodyError: CLN201, two items have the same key.
            UniqueError: CLN410, a row that is out of the principal's reach has the key, or another unique value.
            ContentionError: CLN513, others created or deleted the same keys again and again.
        """
        keys = self._keys(items)
        for _ in range(MAX_TRIES):
            existing = await self._existing(database, keys)
            turned = [
                self._turned(item, existing[key], names, permit) if key in existing else item
                for item, key, names in zip(items, keys, sent, strict=True)
            ]
            try:
                return await self.bulk.together(database, turned)
            except (UniqueError, NotFoundError) as error:
                if await self._existing(database, keys) == existing:
                    raise self._taken(error) from None  # another constraint or a row out of reach, not a race
        raise ContentionError("Other requests created or deleted the same rows at the same moment, again and again.")

    def _keys(self, items: Sequence[Item]) -> list[Key]:
        keys: dict[Key, None] = {}
        for item in items:
            key = tuple(item.values.get(name) for name in self._key)
            if key in keys:
                fault = Fault("repeated", "An earlier item has the same key.", pointer=f"{item.at}/{self._key[0]}")
                raise InvalidBodyError("Two items have the same key.", faults=[fault])
            keys[key] = None
        return list(keys)

    async def _existing(self, database: Database, keys: Sequence[Key]) -> dict[Key, object]:
        facts = self.bulk.facts
        columns = [facts.columns[name].column for name in self._key]
        match = sa.tuple_(*columns).in_(keys) if len(columns) > 1 else columns[0].in_([key[0] for key in keys])
        found = self._everything.with_only_columns(facts.identity.column, *columns)
        async with database.session(read_only=True) as session:
            rows = await session.execute(found.where(match).limit(None).offset(None).order_by(None))
            return {tuple(key): id for id, *key in rows}

    def _taken(self, error: UniqueError | NotFoundError) -> UniqueError:
        """Say of a row that is there, and out of the principal's reach, no more than a POST does: not which one it is."""
        if isinstance(error, UniqueError):
            return error
        name = self._key[0]
        faults = [Fault("taken", "Already taken.", pointer=f"{fault.pointer}/{name}") for fault in error.faults]
        return UniqueError(f"Another row has the same '{name}'.", faults=faults)

    def _turned(self, item: Item, id: object, sent: Collection[str], permit: Permit | None) -> Item:
        values = {name: value for name, value in item.values.items() if name in sent and name not in self._key}
        changing = None if permit is None else permit.sending(values.keys())
        return item._replace(action="update", id=id, values=values, permit=changing)
