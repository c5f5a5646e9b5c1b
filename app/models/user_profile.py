"""User profiles: what a user tells about itself, one to one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Base, IntegerId, Timestamps, Versioned

if TYPE_CHECKING:
    from app.models.user import User


class UserProfile(IntegerId, Timestamps, Versioned, Base):
    """The profile of one user; it goes with the user."""

    __tablename__ = "user_profiles"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True, index=True)
    bio: Mapped[str | None] = mapped_column(String(2000))
    website: Mapped[str | None] = mapped_column(String(300))
    location: Mapped[str | None] = mapped_column(String(100))
    birth_date: Mapped[date | None]

    user: Mapped[User] = relationship(back_populates="profile", lazy="raise")
