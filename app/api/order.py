"""`/orders`. There is no DELETE: an order is cancelled, which keeps the books and puts its products back into stock."""

from app.core.audience import administrators, staff
from app.models.order import Order
from app.schemas.order import OrderCreate, OrderResponse, OrderUpdate
from app.schemas.user import UserBrief
from app.services.order import OrderService
from colonnade import Listing, Policy, Resource, Routes, Schemas, allow, signed_in

orders = Resource(
    Order,
    schemas=Schemas(create=OrderCreate, update=OrderUpdate, response=OrderResponse),
    listing=Listing(
        filters=["user_id", "status", "total"],
        sorts=["id", "created_at", "total"],
        includes={"user": UserBrief},
    ),
    service=OrderService(),
    # A phone that loses its network sends an order again; with a key it is one order all the same.
    routes=Routes(methods=("list", "create", "get", "update"), idempotent=True, history=True),
    # Into what an order may be changed, by whom, is told by the service.
    policy=Policy(
        allow("read", "read_history", "create", "update", to=signed_in, own="user_id"),
        allow("read", "read_history", "update", to=staff),
        allow("everything", to=administrators),
    ),
)
