"""The table in which several processes count requests together."""

from __future__ import annotations

import sqlalchemy as sa

from colonnade.models.types import UTCDateTime

TABLE = "rate_limits"


def rate_limits(metadata: sa.MetaData) -> sa.Table:
    """Declare the table among an application's own, so that `create_all` and its migrations make it.

    Call it beside the models, where a migration's `env.py` imports it, if several workers serve the application without a
    Redis. `create_app` calls it as well, and gets the same table.

    Args:
        metadata: of the application's models.
    """
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    return sa.Table(
        TABLE,
        metadata,
        # A digest of the limit and the client: of one length, and an address is nobody's to read here.
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("counted", sa.Text, nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False, index=True),
    )
