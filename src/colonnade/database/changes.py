"""What this process has changed, so that whoever remembers something of a table can keep it right or forget it.

Each committed change leaves a record: which table, what was done to it, to how many rows. Records are read from the SQL
itself, since changes come from planned statements, from sessions and from the application's own code alike, and a text
is the one thing that they have in common.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event

from colonnade.database.driver import Outcome, Statement

CHANGES_OF_CONNECTION = "colonnade_changes"
"""Key of a connection's `info`: what its transaction has changed so far, as pairs of an effect and its rows."""

MAX_RECORDS = 1_000
"""Records kept; who has not looked for longer starts anew."""

_NAME = r'(?:[`"\w]+\.)?[`"]?(?P<table>\w+)[`"]?'
_WRITE = re.compile(
    rf"\s*(?:(?P<insert>INSERT)\s+INTO\s+{_NAME.replace('table', 'into')}"
    rf"|(?P<update>UPDATE)\s+{_NAME.replace('table', 'of')}\s+SET\b(?P<set>.*?)(?:\bWHERE\b|\bRETURNING\b|$)"
    rf"|(?P<delete>DELETE)\s+FROM\s+{_NAME.replace('table', 'out')})",
    re.IGNORECASE | re.DOTALL,
)
_READ = re.compile(
    r"\s*(SELECT|EXPLAIN|PRAGMA|SET|SHOW|BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|VALUES)\b", re.IGNORECASE
)
_UPSERT = re.compile(r"\bON\s+(CONFLICT|DUPLICATE)\b", re.IGNORECASE)


class Effect(NamedTuple):
    """What a statement does to a table.

    Attributes:
        kind: `other` is whatever can't be told from the text.
        table: its name without a schema; empty when it can't be told.
        words: of an update, whatever stands in its SET, the names of the columns among it.
    """

    kind: Literal["insert", "update", "delete", "other", "settled"]
    table: str = ""
    words: frozenset[str] = frozenset()


class Record(NamedTuple):
    """One change.

    Attributes:
        began: the tick before it could be seen by others.
        effect: what it did.
        rows: to how many rows; None when that is not known.
    """

    began: int
    effect: Effect
    rows: int | None


@lru_cache(maxsize=4096)
def effect_of(sql: str) -> Effect | None:
    """Read what a statement does; None for one that changes no row."""
    found = _WRITE.match(sql)
    if found is None:
        return None if _READ.match(sql) else Effect("other")
    if found["insert"]:
        # What an upsert does to the rows that are there already is not told by how many it affected.
        return Effect("other" if _UPSERT.search(sql) else "insert", found["into"])
    if found["update"]:
        return Effect("update", found["of"], frozenset(re.findall(r"\w+", found["set"])))
    return Effect("delete", found["out"])


class Changes:
    """The latest changes of one database by this process, in the order in which they became visible."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1)
        self._records: deque[Record] = deque(maxlen=MAX_RECORDS)
        self._lock = threading.Lock()  # sync sessions commit on threads
        self._watched: dict[str, list[Callable[[], object]]] = {}
        self.position = 0
        """How many records there have been."""

    def tick(self) -> int:
        """Give a number that is greater than any before: what happened first has the smaller one."""
        return next(self._ticks)

    def note(self, began: int, changes: Iterable[tuple[Effect, int | None]]) -> None:
        """Add what has been committed, or may have been."""
        with self._lock:
            for effect, rows in changes:
                self._records.append(Record(began, effect, rows))
                self.position += 1
                if effect.table in self._watched:
                    for tell in self._watched[effect.table]:
                        tell()

    def watch(self, table: str, tell: Callable[[], object]) -> Callable[[], None]:
        """Have a function called whenever this process has changed a table; what is returned ends that.

        Args:
            table: its name.
            tell: quick; called on whichever thread commits, and perhaps a moment before others see the change, but then a
                second time.
        """
        self._watched.setdefault(table, []).append(tell)

        def unwatch() -> None:
            self._watched[table].remove(tell)

        return unwatch

    def note_statements(self, began: int, statements: Sequence[Statement], outcomes: Sequence[Outcome] = ()) -> None:
        """Add what a planned change did; without outcomes nobody knows whether it was stored."""
        known: Iterable[Outcome | None] = outcomes or itertools.repeat(None, len(statements))
        # No rows affected may mean that the driver does not tell.
        self.note(
            began,
            [
                (effect, (outcome.affected or None) if outcome is not None else None)
                for statement, outcome in zip(statements, known, strict=True)
                if (effect := effect_of(statement.sql)) is not None
            ],
        )

    def since(self, position: int) -> Sequence[Record] | None:
        """Give the records after a position; None when some of them are forgotten."""
        with self._lock:
            missed = self.position - position
            if missed > len(self._records):
                return None
            return tuple(itertools.islice(self._records, len(self._records) - missed, None)) if missed else ()


def watch_changes(engine: sa.Engine, changes: Changes) -> None:
    """Note what sessions and connections of an engine commit.

    SQLAlchemy tells of a commit just before it; what is counted between that and the connection's return may have been
    counted too early, which a second record, `settled`, says.
    """
    key = CHANGES_OF_CONNECTION

    @event.listens_for(engine, "after_cursor_execute")
    def _gather(connection: Any, cursor: Any, statement: str, _values: Any, _context: Any, many: bool) -> None:
        if (effect := effect_of(statement)) is not None:
            rows = None if many or cursor.rowcount <= 0 else cursor.rowcount
            connection.info.setdefault(key, []).append((effect, rows))

    @event.listens_for(engine, "rollback_savepoint")
    def _doubt(connection: Any, *_: Any) -> None:
        info = _info_of(connection)
        if key in info:
            info[key] = [(effect, None) for effect, _ in info[key]]

    @event.listens_for(engine, "rollback")
    def _forget(connection: Any) -> None:
        _info_of(connection).pop(key, None)

    @event.listens_for(engine, "commit")
    def _note(connection: Any) -> None:
        if gathered := connection.info.pop(key, None):
            began = changes.tick()
            changes.note(began, gathered)
            connection.info[key, "began"] = began, [(Effect("settled", effect.table), None) for effect, _ in gathered]

    @event.listens_for(engine, "checkin")
    def _settle(_connection: Any, record: Any) -> None:
        if (settling := record.info.pop((key, "began"), None)) is not None:
            changes.note(*settling)


def _info_of(connection: sa.Connection) -> dict[Any, Any]:
    """Give what is kept with a connection; one that was lost has nothing any more, and raises when it is asked."""
    return {} if connection.invalidated else connection.info
