"""Products: what is sold, at which price, and how much of it is left."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Base, ExactDecimal, IntegerId, SoftDelete, Timestamps, Versioned, full_text

if TYPE_CHECKING:
    from app.models.category import Category


class Product(IntegerId, Timestamps, Versioned, SoftDelete, Base):
    """Something to sell. `quantity` is the stock; orders take from it, and the CHECK is their last line of defence."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price > 0", name="price_positive"),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        Index(None, "name", "price"),
        Index(None, "price"),
        Index(None, "quantity"),
        Index(None, "created_at"),
        full_text("name", "description"),
    )

    name: Mapped[str] = mapped_column(String(100), index=True)
    description: Mapped[str | None] = mapped_column(String(500))
    price: Mapped[Decimal] = mapped_column(ExactDecimal(10, 2))
    quantity: Mapped[int] = mapped_column(server_default=text("0"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"), index=True)

    category: Mapped[Category | None] = relationship(lazy="raise")

    def __repr__(self) -> str:
        """Show what a person at a debugger wants to know; columns that are not loaded show as None."""
        id, name, price, quantity = (self.__dict__.get(key) for key in ("id", "name", "price", "quantity"))
        return f"<Product id={id} name={name!r} price={price} quantity={quantity}>"
