"""The table of versions: what every change of a cached table renews in its own transaction."""

from __future__ import annotations

import sqlalchemy as sa

TABLE = "cache_versions"
_CACHED = "colonnade_cached_tables"


def cache_versions(metadata: sa.MetaData) -> sa.Table:
    """Declare the table among an application's own, so that `create_all` and its migrations make it.

    Call it beside the models, where a migration's `env.py` imports it; a resource with `Routes(cache=...)` calls it as well,
    and gets the same table.

    Args:
        metadata: of the resources that are cached.
    """
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    return sa.Table(
        TABLE,
        metadata,
        sa.Column("name", sa.String(128), primary_key=True),
        # Drawn by lot, not counted: a database that was set up anew must not come to a version that was in use before.
        sa.Column("version", sa.String(32), nullable=False),
    )


def cached_tables(metadata: sa.MetaData) -> set[str]:
    """Give the names of the tables whose changes renew a version; add to it where something of theirs is cached."""
    found: set[str] = metadata.info.setdefault(_CACHED, set())
    return found
