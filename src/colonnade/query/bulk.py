"""Planning changes of many rows at once: few statements, and texts that do not depend on how many rows there are."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from colonnade.models.facts import TableFacts
from colonnade.query.selection import Selection
from colonnade.query.writes import Reach, new_values, show_changed

SIZES = (1, 10, 100, 1_000)
"""Rows of one statement: what is asked for is filled up, or divided, so that a few texts serve every request."""


def size_for(count: int) -> int:
    """Give the least size that holds `count` rows."""
    return next(size for size in SIZES if size >= count)


def plan_insert_arrays(facts: TableFacts, read: Selection, keys: tuple[str, ...]) -> sa.Executable:
    """Plan the creation of any number of rows on PostgreSQL; the values of each column are bound as one array.

    The ordinality keeps the rows, and with them the numbers that they get, in the order in which they were given.
    """
    columns = [facts.columns[key].column for key in keys]
    # Of one dimension, since a JSON document may be a list itself.
    bound = [sa.bindparam(f"v_{key}", type_=ARRAY(facts.columns[key].column.type, dimensions=1)) for key in keys]
    names = [column.name for column in columns]
    given = sa.func.unnest(*bound).table_valued(*names, with_ordinality="place_among_items").render_derived()
    rows = sa.select(*[given.c[name] for name in names]).order_by(given.c.place_among_items)
    return sa.insert(facts.table).from_select(columns, rows, include_defaults=False).returning(*read.columns)


def plan_insert_rows(facts: TableFacts, read: Selection, keys: tuple[str, ...], count: int) -> sa.Executable:
    """Plan the creation of `count` rows by one statement; its values are bound row by row, as `v_<key>_<index>`."""
    rows = [
        {
            facts.columns[key].column: sa.bindparam(f"v_{key}_{index}", type_=facts.columns[key].column.type)
            for key in keys
        }
        for index in range(count)
    ]
    return sa.insert(facts.table).values(rows).returning(*read.columns)


def plan_update_rows(
    facts: TableFacts, read: Selection, keys: tuple[str, ...], count: int, dialect: str, reach: Reach = ()
) -> list[sa.Executable]:
    """Plan one change of the rows whose ids are bound as `id_0`, `id_1`, ...; the last statement gives them back.

    Their order is the database's own; each version goes up by one. Those that are out of `reach` are left as they are;
    where the dialect gives no rows back, only the first statement's count tells.
    """
    bound = {key: sa.bindparam(f"v_{key}", type_=facts.columns[key].column.type) for key in keys}
    chosen = sa.and_(_chosen(facts, count), *facts.visible())
    update = sa.update(facts.table).where(chosen, *reach).ordered_values(*new_values(facts, bound))
    return show_changed(update, read, [chosen], dialect)


def _chosen(facts: TableFacts, count: int) -> sa.ColumnElement[bool]:
    identity = facts.identity.column
    return identity.in_([sa.bindparam(f"id_{index}", type_=identity.type) for index in range(count)])
