"""Users: who writes posts and places orders."""

from __future__ import annotations

import enum

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import AccountMixin, Base, IntegerId, SoftDelete, Timestamps, Versioned, unique_among_alive


class UserRole(enum.StrEnum):
    """What a user is to this shop; no client chooses its own."""

    USER = "user"
    STAFF = "staff"
    ADMIN = "admin"


class User(AccountMixin, IntegerId, Timestamps, Versioned, SoftDelete, Base):
    """A person with an account; whoever left may come back, or somebody else with the same address."""

    __tablename__ = "users"
    __table_args__ = (
        unique_among_alive("email"),
        unique_among_alive("username"),
        Index(None, "created_at"),
        # Reads off one role, newest first; `role` or `is_active` alone would tell too few rows apart.
        Index(None, "role", "created_at"),
    )

    email: Mapped[str] = mapped_column(String(254))
    username: Mapped[str] = mapped_column(String(50))
    full_name: Mapped[str | None] = mapped_column(String(100))
    bio: Mapped[str | None] = mapped_column(String(500))
    role: Mapped[UserRole] = mapped_column(default=UserRole.USER)

    # Named by text: the profile's module knows this one, and an arrow back would close a circle.
    profile: Mapped[Base | None] = relationship(
        "UserProfile", back_populates="user", lazy="raise", passive_deletes=True
    )
