"""Rows that a foreign key may not name, though they are there: those that are deleted softly.

The database's own check of a foreign key passes them. So a statement that gives a foreign key its value looks for the
parent itself, and locks it as that check does (`FOR KEY SHARE`, for which only a parent's deletion waits): a child that
comes at the very moment of its parent's deletion is there when the deletion looks for children, or finds its parent gone.
A statement that restores a row does the same for the parents that the row names already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from colonnade.models.facts import ColumnFacts, TableFacts, read_facts


class Parent(NamedTuple):
    """What a foreign key names: a table whose rows may be deleted softly, and the column that they are named by."""

    facts: TableFacts
    column: sa.Column[Any]

    def held(self, value: sa.ColumnElement[Any], name: str) -> sa.Select[Any]:
        """Select, and lock until the end of the transaction, the row of a value, if it is not deleted.

        Args:
            value: of the foreign key.
            name: of the table in this statement, where it may stand a second time.
        """
        table = self.facts.table.alias(name)
        row: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(table)
        found = row.where(table.c[self.column.key] == value, *self.facts.visible(table=table))
        return found.with_for_update(read=True, key_share=True)


@cache
def parents_of(model: type[DeclarativeBase]) -> Mapping[str, Parent]:
    """Give, by attribute, the foreign keys of one column that name rows which may be deleted softly."""
    facts = read_facts(model)
    targets: dict[Any, type[DeclarativeBase]] = {
        mapper.local_table: mapper.class_ for mapper in model.registry.mappers if mapper.inherits is None
    }
    found: dict[str, Parent] = {}
    for key, column in facts.columns.items():
        for reference in column.column.foreign_keys:
            target = targets.get(reference.column.table)
            alone = reference.constraint is not None and len(reference.constraint.elements) == 1
            if alone and target is not None and (parent := read_facts(target)).deleted is not None:
                found[key] = Parent(parent, reference.column)
    return found


def named(facts: TableFacts, keys: Iterable[str]) -> Iterator[tuple[str, Parent]]:
    """Give the parents that a change of some columns names."""
    parents = parents_of(facts.model)
    return ((key, parents[key]) for key in keys if key in parents)


def parents_are_there(facts: TableFacts, keys: Iterable[str]) -> list[sa.ColumnElement[bool]]:
    """Give the conditions that the parents which a change names are not deleted; its values are bound as `v_<key>`."""
    return [
        _is_there(facts.columns[key], parent, sa.bindparam(f"v_{key}", type_=facts.columns[key].column.type))
        for key, parent in named(facts, keys)
    ]


def needed_parents(model: type[DeclarativeBase]) -> Mapping[str, Parent]:
    """Give, by attribute, the parents without which a row is not restored: all but those whose rule is `keep`.

    A row that was to live on whatever becomes of its parent may come back to what it was, too; else two rows that name each
    other could both be lost for ever.
    """
    columns = read_facts(model).columns
    return {
        key: parent
        for key, parent in parents_of(model).items()
        if columns[key].column.info.get("when_parent_deleted") != "keep"
    }


def own_parents_are_there(facts: TableFacts) -> list[sa.ColumnElement[bool]]:
    """Give the conditions that the parents which a stored row needs are not deleted; it may be its own."""
    found: list[sa.ColumnElement[bool]] = []
    for key, parent in needed_parents(facts.model).items():
        link = facts.columns[key]
        there = _is_there(link, parent, link.column)
        own = parent.column is facts.identity.column
        found.append(sa.or_(there, link.column == parent.column) if own else there)
    return found


def _is_there(link: ColumnFacts, parent: Parent, value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    there = parent.held(value, f"parent_{link.key}").exists()
    return sa.or_(value.is_(None), there) if link.nullable else there
