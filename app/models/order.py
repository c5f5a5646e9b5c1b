"""Orders and their lines: parent and children, stored in one transaction."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from colonnade import Base, ExactDecimal, IntegerId, Timestamps, Versioned, when_parent_deleted

if TYPE_CHECKING:
    from app.models.product import Product
    from app.models.user import User

SERVER_OWNED = {"server_owned": True}


class OrderStatus(enum.StrEnum):
    """How far an order has come; `app.services.order` says which way it may go."""

    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class Order(IntegerId, Timestamps, Versioned, Base):
    """What one user bought at once. A user who has orders can't be deleted."""

    __tablename__ = "orders"
    __table_args__ = (Index(None, "created_at"), Index(None, "status", "created_at"))

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="RESTRICT"), index=True, info=when_parent_deleted("refuse")
    )
    status: Mapped[OrderStatus] = mapped_column(default=OrderStatus.PENDING)
    total: Mapped[Decimal] = mapped_column(ExactDecimal(18, 2), index=True, info=SERVER_OWNED)

    user: Mapped[User] = relationship(lazy="raise")
    lines: Mapped[list[OrderLine]] = relationship(lazy="raise", order_by="OrderLine.id", passive_deletes=True)


class OrderLine(IntegerId, Base):
    """How many of one product an order has, at the price of that moment. A product that was ordered can't be deleted."""

    __tablename__ = "order_lines"
    __table_args__ = (
        # Finds an order's lines too, so that `order_id` needs no index of its own.
        UniqueConstraint("order_id", "product_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id", ondelete="RESTRICT"), index=True, info=when_parent_deleted("refuse")
    )
    quantity: Mapped[int]
    unit_price: Mapped[Decimal] = mapped_column(ExactDecimal(10, 2))

    product: Mapped[Product] = relationship(lazy="raise")
