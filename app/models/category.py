"""Categories: what sort of thing a product is."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from colonnade import Base, IntegerId, Timestamps, Versioned


class Category(IntegerId, Timestamps, Versioned, Base):
    """A shelf of the shop; one that has products can't be taken down."""

    __tablename__ = "categories"

    name: Mapped[str] = mapped_column(String(100), unique=True, index=True)
    description: Mapped[str | None] = mapped_column(String(500))
