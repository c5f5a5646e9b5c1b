"""User profiles: what a user tells about itself, one to one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import (
    Base,
    IntegerId,
    SoftDelete,
    Timestamps,
    Versioned,
    unique_among_alive,
    when_parent_deleted,
)

if TYPE_CHECKING:
    from app.models.user import User


class UserProfile(IntegerId, Timestamps, Versioned, SoftDelete, Base):
    """The profile of one user; it goes with the user, and comes back with it."""

    __tablename__ = "user_profiles"
    __table_args__ = (unique_among_alive("user_id"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), info=when_parent_deleted("cascade")
    )
    bio: Mapped[str | None] = mapped_column(String(2000))
    website: Mapped[str | None] = mapped_column(String(300))
    location: Mapped[str | None] = mapped_column(String(100))
    birth_date: Mapped[date | None]

    user: Mapped[User] = relationship(back_populates="profile", lazy="raise")
