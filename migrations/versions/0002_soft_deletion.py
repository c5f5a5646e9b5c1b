"""Soft deletion of users, their profiles and posts, and products.

Revision 0002, after 0001. What was unique is unique among the rows that are not deleted.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import colonnade

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("users", "user_profiles", "posts", "products")
UNIQUE = (("users", "email"), ("users", "username"), ("user_profiles", "user_id"))


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("is_deleted", sa.Boolean(), server_default=sa.false(), nullable=False))
        op.add_column(table, sa.Column("deleted_at", colonnade.UTCDateTime(), nullable=True))
        op.add_column(table, sa.Column("alive", sa.Boolean(), server_default=sa.true(), nullable=True))
    for table, column in UNIQUE:
        # The new one first: MariaDB lets no foreign key be without an index.
        op.create_index(
            op.f(f"ix_{table}_{column}_alive"),
            table,
            [column, "alive"],
            unique=True,
            postgresql_where=sa.text("NOT is_deleted"),
            sqlite_where=sa.text("is_deleted = 0"),
        )
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)


def downgrade() -> None:
    """Remove for good what is deleted softly: its unique values may be taken by others."""
    for table in reversed(TABLES):
        op.execute(f"DELETE FROM {table} WHERE is_deleted")  # noqa: S608  # the names above
    for table, column in UNIQUE:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=True)
        op.drop_index(op.f(f"ix_{table}_{column}_alive"), table_name=table)
    for table in TABLES:
        for column in ("alive", "deleted_at", "is_deleted"):
            op.drop_column(table, column)
