"""rate limits

What several workers without a Redis count of each client's requests.

Revision 0007, after 0006; written 2026-11-20.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import colonnade

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        sa.Column("expires_at", colonnade.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_limits")),
    )
    op.create_index(op.f("ix_rate_limits_expires_at"), "rate_limits", ["expires_at"])


def downgrade() -> None:
    op.drop_table("rate_limits")
