"""Orders on the wire: created whole, with their lines; prices and the total are the server's."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.models.order import OrderStatus
from app.schemas.shape import Body, Id, Row, unsent
from colonnade import ExactNumber

MAX_LINES = 100


class OrderLineCreate(Body):
    """How many of a product; a product stands in one line only."""

    product_id: Id
    quantity: Annotated[int, Field(ge=1, le=1_000_000, examples=[2])]


class OrderCreate(Body):
    """A new order."""

    user_id: Id
    lines: Annotated[list[OrderLineCreate], Field(min_length=1, max_length=MAX_LINES)]


class OrderUpdate(Body):
    """How an order goes on: pending, paid, shipped; or cancelled, which puts its products back into stock."""

    status: OrderStatus = unsent()


class OrderLineResponse(Row):
    """A line, at the price of the moment when the order was made."""

    id: int
    product_id: int
    quantity: int
    unit_price: ExactNumber = Field(examples=[19.9])


class OrderResponse(Row):
    """An order with its lines."""

    id: int
    user_id: int
    status: OrderStatus
    total: ExactNumber = Field(examples=[39.8])
    lines: list[OrderLineResponse]
    version: int
    created_at: datetime
    updated_at: datetime
