"""What the state machine holds the service to: purses and the coins in them, as plain dicts that change as the wire says."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Row = dict[str, Any]
Table = dict[int, Row]


class Refused(Exception):  # noqa: N818  (an outcome, not a fault)
    """The change is refused with this status, and nothing of it is made."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class World:
    """Both tables.

    Attributes:
        tables: by path, rows by id; `deleted` is the moment of a row's soft deletion, None while it is seen.
        now: counts the moments.
        made: ids that new rows have until the service has told theirs, negative ones.
    """

    tables: dict[str, Table] = field(default_factory=lambda: {"purses": {}, "coins": {}})
    now: int = 0
    made: list[int] = field(default_factory=list)

    def tick(self) -> None:
        """Let a moment pass."""
        self.now += 1

    def seen(self, path: str, deleted: str = "hide") -> list[Row]:
        """Give the rows that are seen, by their ids."""
        rows = [row for _, row in sorted(self.tables[path].items())]
        wanted = {"hide": {True}, "only": {False}, "include": {True, False}}[deleted]
        return [row for row in rows if (row["deleted"] is None) in wanted]

    def find(self, path: str, id: int, deleted: str = "hide") -> Row:
        """Give a row, if it is seen so."""
        row = self.tables[path].get(id)
        if row is None or row not in self.seen(path, deleted):
            raise Refused(404)
        return row

    def create(self, path: str, values: Row) -> Row:
        """Add a row."""
        row: Row = {"size": None, "note": "-", "purse_id": None} | values if path == "coins" else dict(values)
        self._check(path, row, None)
        id = -len(self.made) - 1
        self.made.append(id)
        self.tables[path][id] = row | {"id": id, "version": 1, "deleted": None}
        return self.tables[path][id]

    def change(self, path: str, id: int, values: Row, version: int | None = None, stale: int = 412) -> Row:
        """Change a row, if it still has the version; nothing given changes nothing."""
        row = self.find(path, id)
        if version is not None and row["version"] != version:
            raise Refused(stale)
        if values:
            self._check(path, values, row)
            row.update(values, version=row["version"] + 1)
        return row

    def delete(self, path: str, id: int, version: int | None = None) -> None:
        """Delete a row softly, and the coins in a purse with it."""
        row = self.find(path, id)
        if version is not None and row["version"] != version:
            raise Refused(412)
        for coin in self.seen("coins") if path == "purses" else []:
            if coin["purse_id"] == id:
                coin.update(deleted=self.now, version=coin["version"] + 1)
        row.update(deleted=self.now, version=row["version"] + 1)

    def restore(self, path: str, id: int) -> Row:
        """Bring a row back, and what went with it; a coin only into a purse that is there."""
        row = self.find(path, id, "only")
        back = [row]
        if row.get("purse_id") is not None and self.tables["purses"][row["purse_id"]]["deleted"] is not None:
            raise Refused(409)
        if path == "purses":
            back += [
                coin
                for coin in self.seen("coins", "only")
                if (coin["purse_id"], coin["deleted"]) == (id, row["deleted"])
            ]
        for one in back:
            if "name" in one and self._named("coins" if "size" in one else "purses", one["name"]) is not None:
                raise Refused(409)
            one.update(deleted=None, version=one["version"] + 1)
        return row

    def purge(self, path: str, id: int) -> None:
        """Remove a row for good, unless a coin refers to it."""
        self.find(path, id, "include")
        if path == "purses" and any(coin["purse_id"] == id for coin in self.tables["coins"].values()):
            raise Refused(409)
        del self.tables[path][id]

    def upsert(self, path: str, values: Row) -> Row:
        """Change the row of that name, or create it."""
        there = self._named(path, values["name"])
        if there is None:
            return self.create(path, values)
        return self.change(path, there["id"], {key: value for key, value in values.items() if key != "name"})

    def attempt(self, *changes: Callable[[], Any]) -> int | None:
        """Make changes, all or none; give the status of the first refusal."""
        before = copy.deepcopy(self.tables)
        made = len(self.made)
        try:
            for change in changes:
                change()
        except Refused as refused:
            self.tables = before
            del self.made[made:]
            return refused.status
        return None

    def christen(self, path: str, ids: Sequence[int]) -> None:
        """Give the rows that were made, in their order, the ids that the service gave them."""
        assert len(ids) == len(self.made)
        for made, id in zip(self.made, ids, strict=True):
            row = self.tables[path].pop(made)
            self.tables[path][id] = row | {"id": id}
        self.made.clear()

    def _named(self, path: str, name: str) -> Row | None:
        return next((row for row in self.seen(path) if row["name"] == name), None)

    def _check(self, path: str, values: Row, row: Row | None) -> None:
        """Refuse a name that another row has, and a purse that is not there."""
        other = self._named(path, values["name"]) if "name" in values else None
        if other is not None and other is not row:
            raise Refused(409)
        if values.get("purse_id") is not None and not any(
            one["id"] == values["purse_id"] for one in self.seen("purses")
        ):
            raise Refused(409)


def holds(row: Row, condition: Any) -> bool:
    """Tell whether a row meets a filter, a boolean tree included."""
    for name, value in condition.items():
        if name == "not":
            met = not holds(row, value)
        elif name in {"and", "or"}:
            met = (all if name == "and" else any)(holds(row, one) for one in value)
        else:
            met = _compares(row, name, value)
        if not met:
            return False
    return True


def _compares(row: Row, name: str, value: Any) -> bool:
    key, _, operator = name.partition("__")
    if operator == "isnull":
        return (row[key] is None) == value
    if row[key] is None:
        return False
    return {"": row[key] == value, "gte": _at_least(row[key], value), "in": _is_one(row[key], value)}[operator]


def _at_least(one: Any, other: Any) -> bool:
    return isinstance(other, int) and one >= other


def _is_one(one: Any, others: Any) -> bool:
    return isinstance(others, list) and one in others


def ordered(rows: Sequence[Row], sort: str) -> list[Row]:
    """Sort as a list does: NULL counts as the greatest, ties by id in the direction of the last key."""
    keys = sort.split(",")
    names = [key.removeprefix("-") for key in keys]
    if "id" not in names:
        keys = [*keys, "-id" if keys[-1].startswith("-") else "id"]
    found = list(rows)
    for key in reversed(keys):
        found.sort(key=partial(_place, key.removeprefix("-")), reverse=key.startswith("-"))
    return found


def _place(name: str, row: Row) -> tuple[bool, Any]:
    return row[name] is None, 0 if row[name] is None else row[name]
