"""webhooks

Who is told of changes, and where.

Revision 0009, after 0008; written 2026-11-20.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import colonnade

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("events", colonnade.JsonDocument, nullable=False),
        sa.Column("secret", sa.String(length=120), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("disabled_at", colonnade.UTCDateTime(), nullable=True),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("webhooks")
