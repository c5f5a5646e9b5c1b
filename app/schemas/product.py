"""Products on the wire (S48)."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.schemas.shape import Body, Id, Row, unsent
from colonnade import ExactNumber

Name = Annotated[str, Field(min_length=1, max_length=100, examples=["Desk lamp"])]
Description = Annotated[str, Field(max_length=500, examples=["Brass, with a green shade."])]
Price = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2, examples=[19.9])]
Quantity = Annotated[int, Field(ge=0, le=2**31 - 1, description="How many are in stock.", examples=[12])]


class ProductCreate(Body):
    """A new product; out of stock unless it says otherwise."""

    name: Name
    description: Description | None = None
    price: Price
    quantity: Quantity = 0
    category_id: Id | None = None


class ProductUpdate(Body):
    """What may change of a product; whatever is left out stays as it is."""

    name: Name = unsent()
    description: Description | None = None
    price: Price = unsent()
    quantity: Quantity = unsent()
    category_id: Id | None = None


class ProductResponse(Row):
    """A product."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Desk lamp"])
    description: str | None = Field(examples=["Brass, with a green shade."])
    price: ExactNumber = Field(examples=[19.9])
    quantity: int = Field(examples=[12])
    category_id: int | None
    version: int = Field(description="Goes up by one with every change, orders included.", examples=[1])
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = Field(description="Shown with `deleted=include` or `deleted=only`, hidden otherwise.")
    deleted_at: datetime | None
