"""What makes a model an account, and the tables that stand beside it: sessions, API keys, failed logins, identities."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column

from colonnade.core.errors import DeclarationError
from colonnade.models.mixins import SERVER_OWNED
from colonnade.models.types import BigId, UTCDateTime


class AccountMixin:
    """The columns of an account, for any model; a class that wants a column otherwise, a role of its own say, declares it.

    No client sets any of them by a derived schema: an account is changed by the routes of `Accounts`, its role and whether
    it is active by an administrator.
    """

    role: Mapped[str] = mapped_column(sa.String(32), default="user", sort_order=80, info=SERVER_OWNED)
    is_active: Mapped[bool] = mapped_column(sa.Boolean, default=True, sort_order=81, info=SERVER_OWNED)
    hashed_password: Mapped[str] = mapped_column(sa.String(255), sort_order=82, info={**SERVER_OWNED, "secret": True})
    # Each session notes it when it begins: one more, and no session holds any longer, nor any token of one.
    token_version: Mapped[int] = mapped_column(
        sa.Integer, default=0, server_default=sa.text("0"), sort_order=83, info={**SERVER_OWNED, "secret": True}
    )
    # What was verified of an address is nothing of the next one: whoever could keep it would be joined to by the provider
    # of somebody else's address.
    email_verified_at: Mapped[datetime | None] = mapped_column(
        UTCDateTime(), sort_order=84, info={**SERVER_OWNED, "cleared_with": "email"}
    )
    last_login_at: Mapped[datetime | None] = mapped_column(UTCDateTime(), sort_order=85, info=SERVER_OWNED)


@sa.event.listens_for(AccountMixin, "before_update", propagate=True)
def _clear(mapper: Mapper[Any], connection: sa.Connection, account: Any) -> None:
    """Do for an application's own session what a resource's UPDATE does: a new address is not verified."""
    attributes, verified = sa.inspect(account).attrs, "email_verified_at"
    address = str(mapper.columns[verified].info.get("cleared_with"))
    is_new = address in attributes and attributes[address].history.has_changes()
    if is_new and not attributes[verified].history.has_changes():
        setattr(account, verified, None)


class AccountTables(NamedTuple):
    """The tables beside the accounts.

    Attributes:
        sessions: one row for each login that has not ended; it is the family of its refresh tokens.
        api_keys: what machines sign in with.
        failures: failed logins, by digests of account names and addresses.
        identities: who an account is to outside identity providers.
    """

    sessions: sa.Table
    api_keys: sa.Table
    failures: sa.Table
    identities: sa.Table


def account_tables(model: type[DeclarativeBase]) -> AccountTables:
    """Declare the tables beside a model of accounts, so that `create_all` and its migrations make them.

    Call it beside the models, where a migration's `env.py` imports it; `Accounts` calls it as well, and gets the same
    tables. They go with the account: its row's deletion takes theirs along.

    Args:
        model: has the mixin `AccountMixin`, and a primary key of one column.

    Raises:
        DeclarationError: it has not.
    """
    if not issubclass(model, AccountMixin):
        raise DeclarationError(f"{model.__name__} is no account; its class needs the mixin AccountMixin")
    table = model.__table__
    assert isinstance(table, sa.Table)  # a mapped class of one table
    found = table.metadata.tables
    if "login_sessions" not in found:
        _declare(table)
    return AccountTables(
        found["login_sessions"], found["api_keys"], found["login_failures"], found["outside_identities"]
    )


def _declare(accounts: sa.Table) -> None:
    metadata = accounts.metadata
    sa.Table(
        "login_sessions",
        metadata,
        # Hexadecimal, as all that is looked up here: some databases compare letters without regard to case.
        sa.Column("id", sa.String(32), primary_key=True),
        _account(accounts),
        sa.Column("token_version", sa.Integer, nullable=False),
        sa.Column("refresh_hash", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False, index=True),
    )
    sa.Table(
        "api_keys",
        metadata,
        sa.Column("id", BigId, primary_key=True),
        _account(accounts),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False, unique=True),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(1000), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime()),
        sa.Column("last_used_at", UTCDateTime()),
        sqlite_autoincrement=True,
    )
    sa.Table(
        "login_failures",
        metadata,
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("blocks", sa.Integer, nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("blocked_until", UTCDateTime()),
        sa.Column("updated_at", UTCDateTime(), nullable=False, index=True),
    )
    sa.Table(
        "outside_identities",
        metadata,
        sa.Column("id", BigId, primary_key=True),
        _account(accounts),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.UniqueConstraint("issuer", "subject"),
        sqlite_autoincrement=True,
    )


def _account(accounts: sa.Table) -> sa.Column[object]:
    (identity,) = accounts.primary_key.columns
    return sa.Column(
        "account_id", identity.type, sa.ForeignKey(identity, ondelete="CASCADE"), nullable=False, index=True
    )
