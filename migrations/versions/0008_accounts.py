"""accounts

Sessions, API keys, failed logins and outside identities of users, and what a user needs for them.

Revision 0008, after 0007; written 2026-11-20.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import colonnade

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("token_version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("users", sa.Column("email_verified_at", colonnade.UTCDateTime(), nullable=True))

    op.create_table(
        "login_sessions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", colonnade.BigId, nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("refresh_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("used_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("expires_at", colonnade.UTCDateTime(), nullable=False),
        _account("login_sessions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
    )
    op.create_index(op.f("ix_login_sessions_account_id"), "login_sessions", ["account_id"])
    op.create_index(op.f("ix_login_sessions_expires_at"), "login_sessions", ["expires_at"])

    op.create_table(
        "api_keys",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("account_id", colonnade.BigId, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=1000), nullable=False),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        sa.Column("expires_at", colonnade.UTCDateTime(), nullable=True),
        sa.Column("last_used_at", colonnade.UTCDateTime(), nullable=True),
        _account("api_keys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"])

    op.create_table(
        "login_failures",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("since", colonnade.UTCDateTime(), nullable=False),
        sa.Column("blocked_until", colonnade.UTCDateTime(), nullable=True),
        sa.Column("updated_at", colonnade.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_updated_at"), "login_failures", ["updated_at"])

    op.create_table(
        "outside_identities",
        sa.Column("id", colonnade.BigId, nullable=False),
        sa.Column("account_id", colonnade.BigId, nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", colonnade.UTCDateTime(), nullable=False),
        _account("outside_identities"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_outside_identities_issuer_subject")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outside_identities_account_id"), "outside_identities", ["account_id"])


def _account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_id_users")
    return sa.ForeignKeyConstraint(["account_id"], ["users.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    for table in ("outside_identities", "login_failures", "api_keys", "login_sessions"):
        op.drop_table(table)
    for column in ("email_verified_at", "token_version"):
        op.drop_column("users", column)
