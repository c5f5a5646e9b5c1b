"""Planning a change of one row: one statement that gives the new row back, where the dialect can; two elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from colonnade.models.facts import ColumnFacts, Deleted, TableFacts
from colonnade.query.parents import own_parents_are_there, parents_are_there
from colonnade.query.selection import Selection

RETURNING = frozenset({"postgresql", "sqlite"})
"""Dialects whose INSERT, UPDATE and DELETE all give rows back; MariaDB's UPDATE does not."""


Reach: TypeAlias = "Sequence[sa.ColumnElement[bool]]"


def plan_insert(facts: TableFacts, read: Selection, keys: tuple[str, ...], dialect: str) -> list[sa.Executable]:
    """Plan the creation of a row; the last statement gives its columns back.

    The first one affects no row where the new one would name a parent that is deleted softly, or is not there.

    Args:
        facts: the table.
        read: which columns are given back.
        keys: of the values that are given, defaults included; they are bound as `v_<key>`.
        dialect: the database's name.
    """
    identity = facts.identity
    # The connection's own last number, not the table's: another's insert does not disturb it.
    key = _bound(identity) if identity.key in keys else sa.func.last_insert_id()
    return show_changed(insert_row(facts, keys), read, [identity.column == key], dialect)


def insert_row(facts: TableFacts, keys: tuple[str, ...]) -> sa.Insert:
    """Insert a row whose values are bound as `v_<key>`; none where it names a parent that is deleted softly or not there."""
    values = {facts.columns[key].column: _bound(facts.columns[key]) for key in keys}
    parents = parents_are_there(facts, keys)
    if not parents:
        return sa.insert(facts.table).values(values)
    row = sa.select(*values.values()).where(*parents)
    return sa.insert(facts.table).from_select(list(values), row)


def plan_update(
    facts: TableFacts,
    read: Selection,
    keys: tuple[str, ...],
    dialect: str,
    *,
    versioned: bool = False,
    reach: Reach = (),
) -> list[sa.Executable]:
    """Plan a change of the columns `keys` of the row whose id is bound as `id`; the version goes up by one with it.

    Args:
        facts: the table.
        read: which columns are given back.
        keys: of the values that are given; they are bound as `v_<key>`.
        dialect: the database's name.
        versioned: the row must still have the version that is bound as `expected`. Where the dialect gives no rows back
            only the first statement's count tells whether it had: the second one shows the row in any case.
        reach: further conditions on the row, of whoever changes it.
    """
    chosen = _chosen(facts)
    conditions = (*chosen, *reach, *_expected(facts, versioned), *parents_are_there(facts, keys))
    update = sa.update(facts.table).where(*conditions).ordered_values(*_values(facts, keys))
    return show_changed(update, read, chosen, dialect)


def plan_delete(facts: TableFacts, dialect: str, *, versioned: bool = False, reach: Reach = ()) -> list[sa.Executable]:
    """Plan the removal for good of the row whose id is bound as `id`; a row or a count of one says that it was there.

    Args:
        facts: the table.
        dialect: the database's name.
        versioned: the row must still have the version that is bound as `expected`.
        reach: as for `plan_update`.
    """
    delete = sa.delete(facts.table).where(*_chosen(facts, "include"), *reach, *_expected(facts, versioned))
    return [_telling(delete, facts, dialect)]


def plan_hide(
    facts: TableFacts, keys: tuple[str, ...], dialect: str, *, versioned: bool = False, reach: Reach = ()
) -> list[sa.Executable]:
    """Plan the soft deletion of the row whose id is bound as `id`; a row or a count of one says that it was there.

    Args:
        facts: the table.
        keys: of the values that it gets, which are bound as `v_<key>`; its version goes up by one.
        dialect: the database's name.
        versioned: the row must still have the version that is bound as `expected`.
        reach: as for `plan_update`.
    """
    chosen = (*_chosen(facts), *reach, *_expected(facts, versioned))
    hide = sa.update(facts.table).where(*chosen).ordered_values(*_values(facts, keys))
    return [_telling(hide, facts, dialect)]


def plan_restore(
    facts: TableFacts,
    read: Selection,
    keys: tuple[str, ...],
    dialect: str,
    *,
    versioned: bool = False,
    reach: Reach = (),
) -> list[sa.Executable]:
    """Plan the bringing back of the row whose id is bound as `id`, if it is deleted softly; as `plan_update` otherwise.

    It affects no row either where the row names a parent that is deleted softly.
    """
    gone = (*_chosen(facts, "only"), *reach, *_expected(facts, versioned), *own_parents_are_there(facts))
    restore = sa.update(facts.table).where(*gone).ordered_values(*_values(facts, keys))
    return show_changed(restore, read, _chosen(facts), dialect)


def plan_reach(facts: TableFacts, reach: Reach) -> list[sa.Executable]:
    """Plan to look whether the row whose id is bound as `id` is in somebody's reach, deleted softly or not."""
    return [sa.select(facts.identity.column).where(*_chosen(facts, "include"), *reach)]


def show_changed(
    change: sa.Insert | sa.Update, read: Selection, found: Sequence[sa.ColumnElement[bool]], dialect: str
) -> list[sa.Executable]:
    """Have a change give back what it has made, or read that by a second statement where the dialect gives nothing back.

    Args:
        change: the statement.
        read: which columns are given back.
        found: the conditions by which the second one finds what was changed.
        dialect: the database's name.
    """
    if dialect in RETURNING:
        return [change.returning(*read.columns)]
    return [change, read.select().where(*found)]


def _telling(change: sa.Update | sa.Delete, facts: TableFacts, dialect: str) -> sa.Executable:
    """Have a change that shows nothing give a row back all the same; elsewhere a count says that there was one."""
    return change.returning(facts.identity.column) if dialect in RETURNING else change


def new_values(facts: TableFacts, values: Mapping[str, Any]) -> list[tuple[sa.Column[Any], Any]]:
    """Pair the columns of an UPDATE with what they get: the values, the next version, and NULL where one holds no longer.

    They come in the order of SET, for `ordered_values`: MariaDB assigns from left to right, and what is to be compared with
    the value that was there has to come before that is gone.

    Args:
        facts: the table.
        values: or what binds them, by attribute.
    """
    cleared = [
        # Sent as it is, a value changes nothing; a whole row that is sent back must not cost what was verified of it.
        (facts.columns[key].column, sa.case((facts.columns[other].column == values[other], facts.columns[key].column)))
        for key, other in facts.cleared
        if other in values and key not in values
    ]
    version = [] if facts.version is None else [(facts.version.column, facts.version.column + 1)]
    return [*cleared, *[(facts.columns[key].column, value) for key, value in values.items()], *version]


def _values(facts: TableFacts, keys: tuple[str, ...]) -> list[tuple[sa.Column[Any], Any]]:
    return new_values(facts, {key: _bound(facts.columns[key]) for key in keys})


def _chosen(facts: TableFacts, deleted: Deleted = "hide") -> list[sa.ColumnElement[bool]]:
    identity = facts.identity.column
    return [identity == sa.bindparam("id", type_=identity.type), *facts.visible(deleted)]


def _expected(facts: TableFacts, versioned: bool) -> list[sa.ColumnElement[bool]]:
    if not versioned or facts.version is None:
        return []
    return [facts.version.column == sa.bindparam("expected", type_=facts.version.column.type)]


def _bound(column: ColumnFacts) -> sa.BindParameter[Any]:
    return sa.bindparam(f"v_{column.key}", type_=column.column.type)
