"""The table of answers that were given to requests with an `Idempotency-Key`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import MEDIUMBLOB

from colonnade.models.types import UTCDateTime

TABLE = "idempotency_keys"


def idempotency_keys(metadata: sa.MetaData) -> sa.Table:
    """Declare the table among an application's own, so that `create_all` and its migrations make it.

    Call it beside the models, where a migration's `env.py` imports it; a resource with `Routes(idempotent=True)` calls it as
    well, and gets the same table.

    Args:
        metadata: of the resources whose requests may carry a key: the answer is stored in their database.
    """
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    return sa.Table(
        TABLE,
        metadata,
        # A digest of who asks for what, with which key: of one length, whatever the path and the key are.
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb"), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False, index=True),
    )
