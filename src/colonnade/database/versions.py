"""Versions of tables: renewed in the transaction of each change, read in one keyed statement before a cached answer is used.

They stand in the database itself, since nothing else becomes visible at the very moment of a commit: a counter in Redis can
be renewed before it or after it, and both leave a gap in which somebody reads what is no longer, or not yet, true. The price
is one more row written by each change of a cached table; two changes of one such table wait for each other's commit.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence, Set

import sqlalchemy as sa
from sqlalchemy import event

from colonnade.database.changes import CHANGES_OF_CONNECTION, effect_of
from colonnade.database.driver import Statement
from colonnade.models.cache_versions import TABLE, cached_tables
from colonnade.query.compile import CompiledStatement, compile_statement

MAX_TABLES = 10
"""Tables that one cached answer may depend on."""

_INSERT = "INSERT INTO cache_versions (name, version) VALUES (:name, :version) "
_UPSERT = {
    "mysql": "ON DUPLICATE KEY UPDATE version = VALUES(version)",
    "mariadb": "ON DUPLICATE KEY UPDATE version = VALUES(version)",
}
_UPSERT_ELSEWHERE = "ON CONFLICT (name) DO UPDATE SET version = excluded.version"


class TableVersions:
    """The versions of one database's tables.

    Args:
        metadata: of the tables; None where there is none, and nothing is cached.
        dialect: of the database.
    """

    def __init__(self, metadata: sa.MetaData | None, dialect: sa.Dialect) -> None:
        self._cached: Set[str] = frozenset() if metadata is None else cached_tables(metadata)
        self._dialect = dialect
        self._select: CompiledStatement | None = None
        self._renew: CompiledStatement | None = None

    def renewals(self, statements: Sequence[Statement]) -> list[Statement]:
        """Give the statements that belong into the transaction of a planned change; none where nothing is cached."""
        if not self._cached:
            return []
        changed = [effect.table for one in statements if (effect := effect_of(one.sql)) is not None]
        return [] if self._cached.isdisjoint(changed) and "" not in changed else self.renewing(changed)

    def renewing(self, changed: Iterable[str]) -> list[Statement]:
        """Give one statement for each cached table among those that were changed, in an order that all agree on."""
        if self._renew is None:
            self._renew = compile_statement(renewal(self._dialect), self._dialect)
        return [self._renew.bind(_renewed(name)) for name in self.touched(changed)]

    def touched(self, changed: Iterable[str]) -> list[str]:
        """Name the cached tables among those that were changed, sorted.

        Args:
            changed: names; an empty one stands for a change of nobody knows which table.
        """
        names = set(changed)
        return sorted(self._cached if "" in names else names.intersection(self._cached))

    def select(self, names: Sequence[str]) -> Statement:
        """Give the statement that reads the versions of up to ten tables, as rows of name and version."""
        if self._select is None:
            table = sa.table(TABLE, sa.column("name", sa.String), sa.column("version", sa.String))
            places = [sa.bindparam(f"n{index}", type_=sa.String) for index in range(MAX_TABLES)]
            chosen = sa.select(table.c.name, table.c.version).where(table.c.name.in_(places)).order_by(table.c.name)
            self._select = compile_statement(chosen, self._dialect)
        return self._select.bind({f"n{index}": names[min(index, len(names) - 1)] for index in range(MAX_TABLES)})


def renewal(dialect: sa.Dialect) -> sa.TextClause:
    """Write the statement that gives a table another version, whether it had one or not."""
    sql = _INSERT + _UPSERT.get(dialect.name, _UPSERT_ELSEWHERE)
    return sa.text(sql).bindparams(*[sa.bindparam(word, type_=sa.String) for word in ("name", "version")])


def _renewed(name: str) -> dict[str, str]:
    return {"name": name, "version": secrets.token_hex(16)}


def watch_versions(engine: sa.Engine, metadata: sa.MetaData | None) -> None:
    """Renew the versions in the transactions of sessions, as their last statements before COMMIT.

    Listen before `watch_changes` does, which forgets what was changed.
    """
    versions, renew = TableVersions(metadata, engine.dialect), renewal(engine.dialect)

    @event.listens_for(engine, "commit")
    def _renew(connection: sa.Connection) -> None:
        changed = connection.info.get(CHANGES_OF_CONNECTION)
        for name in versions.touched(effect.table for effect, _ in changed) if changed else ():
            connection.execute(renew, _renewed(name))
