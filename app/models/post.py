"""Posts: what users write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Base, IntegerId, SoftDelete, Timestamps, Versioned, when_parent_deleted

if TYPE_CHECKING:
    from app.models.user import User


class Post(IntegerId, Timestamps, Versioned, SoftDelete, Base):
    """A text of one user; it goes with the user, and comes back with it."""

    __tablename__ = "posts"
    __table_args__ = (Index(None, "created_at"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True, info=when_parent_deleted("cascade")
    )
    title: Mapped[str] = mapped_column(String(200), index=True)
    body: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(default=False)

    user: Mapped[User] = relationship(lazy="raise")
