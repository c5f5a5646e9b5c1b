"""What the three peers share: the users table as an ordinary model, its schemas, its engine options."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, DateTime, Engine, Integer, String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Guide B's pool; it is never short, because the load keeps 16 requests in flight.
POOL: dict[str, Any] = {"pool_size": 20, "max_overflow": 0}


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """The peers' own metadata."""


class User(Base):
    """The reference application's users table."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True, index=True)
    username: Mapped[str] = mapped_column(String(50), unique=True, index=True)
    full_name: Mapped[str | None] = mapped_column(String(100))
    bio: Mapped[str | None] = mapped_column(String(500))
    role: Mapped[str] = mapped_column(String(20), default="user")
    is_active: Mapped[bool] = mapped_column(default=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    version: Mapped[int] = mapped_column(default=1)
    last_login_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=_now, onupdate=_now)


class UserUpdate(BaseModel):
    """The fields that a client may change (guide A, S10)."""

    full_name: str | None = Field(default=None, max_length=100)
    bio: str | None = Field(default=None, max_length=500)
    is_active: bool | None = None


class UserResponse(BaseModel):
    """What a client sees: every column except the hash."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str
    username: str
    full_name: str | None
    bio: str | None
    role: str
    is_active: bool
    version: int
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


def make_durable(engine: Engine) -> None:
    """Give SQLite connections the settings of the limit: WAL, synchronous FULL, 30 s for the lock."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
