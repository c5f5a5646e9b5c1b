"""Guide C's `/items` in one file: `uvicorn items:app`, then look at /docs."""

from decimal import Decimal

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from colonnade import (
    Base,
    Database,
    ExactDecimal,
    IntegerId,
    Listing,
    Resource,
    Routes,
    Timestamps,
    Versioned,
    create_app,
)


class Item(IntegerId, Timestamps, Versioned, Base):
    """Something to sell."""

    __tablename__ = "items"

    name: Mapped[str] = mapped_column(String(100), index=True)
    category: Mapped[str | None] = mapped_column(String(50), index=True)
    status: Mapped[str] = mapped_column(String(20), default="active", index=True)
    price: Mapped[Decimal] = mapped_column(ExactDecimal(10, 2))


items = Resource(
    Item,
    listing=Listing(filters=["status", "category", "price"], sorts=["created_at", "name", "price"]),
    routes=Routes(replace="partial"),
)

app = create_app([items], database=Database("sqlite:///items.db", metadata=Base.metadata), title="Items")
