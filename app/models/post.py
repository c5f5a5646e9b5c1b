"""Posts: what users write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Base, IntegerId, Timestamps, Versioned

if TYPE_CHECKING:
    from app.models.user import User


class Post(IntegerId, Timestamps, Versioned, Base):
    """A text of one user; it goes with the user."""

    __tablename__ = "posts"
    __table_args__ = (Index(None, "created_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200), index=True)
    body: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(default=False)

    user: Mapped[User] = relationship(lazy="raise")
