"""The rules of orders: stock goes down with them, in the same transaction, and never below zero.

Whoever changes stock locks the products first, in the order of their ids: no two can then wait for each other, and what
was read stays true until the commit. (SQLite has no row locks; there one transaction writes at a time.)
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.order import Order, OrderLine, OrderStatus
from app.models.product import Product
from app.models.user import User, UserRole
from app.schemas.order import OrderLineCreate
from colonnade import Change, ConflictError, Fault, ForbiddenError, RuleError, Service, record_changes

NEXT: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}


SHOP = frozenset({UserRole.STAFF, UserRole.ADMIN})
"""Roles that move orders on."""

MAX_STOCK = 2**31 - 1
"""What the column of a product's quantity holds; SQLite would store more, which no filter could ask for."""


class OrderService(Service):
    """Takes from the stock what is ordered, and puts back what is cancelled; webhooks tell of both."""

    publishes = True

    async def prepare(self, change: Change) -> None:
        """Refuse a product that stands in two lines: which quantity was meant is the client's to say.

        Raises:
            RuleError: CLN202, naming the second line.
        """
        seen: set[int] = set()
        for index, line in enumerate(change.values.get("lines", ())):
            if line.product_id in seen:
                fault = Fault(
                    "repeated", "The product stands in an earlier line.", pointer=f"/lines/{index}/product_id"
                )
                raise RuleError("An order names a product in one line only; add up the quantities.", faults=[fault])
            seen.add(line.product_id)

    async def before_create(self, change: Change) -> None:
        """Lock the products, see that there are enough of them, and make the total.

        Raises:
            ConflictError: CLN412: no such user or product, a user who is not active, or not enough in stock.
        """
        lines: list[OrderLineCreate] = change.values.pop("lines")
        await _require_active_user(change.session, change.values["user_id"])
        prices = await _lock_stock(change.session, lines)
        change.values["total"] = sum((prices[line.product_id] * line.quantity for line in lines), Decimal(0))
        change.notes.update(lines=lines, prices=prices)

    async def after_create(self, change: Change) -> None:
        """Store the lines at the prices of this moment, and take them from the stock."""
        lines, prices = change.notes["lines"], change.notes["prices"]
        rows = [
            {
                "order_id": change.id,
                "product_id": line.product_id,
                "quantity": line.quantity,
                "unit_price": prices[line.product_id],
            }
            for line in lines
        ]
        await change.session.execute(insert(OrderLine.__table__), rows)  # type: ignore[arg-type]  # a Table
        await _change_stock(change, {line.product_id: -line.quantity for line in lines})

    async def before_update(self, change: Change) -> None:
        """Let the order go only where it may, and put a cancelled one's products back into stock.

        Raises:
            ConflictError: CLN412: the order can't go from its status to the new one.
            ForbiddenError: CLN301: who ordered may only cancel, and only before it is paid; the shop does the rest.
        """
        order: Order = change.row
        status = change.values.get("status", order.status)
        if change.permit is not None and change.principal.role not in SHOP:
            _require_own_step(order.status, status)
        if status not in NEXT[order.status] | {order.status}:
            fault = Fault("status_not_next", "The order can't go there from where it is.", pointer="/status")
            raise ConflictError(f"An order that is {order.status} can't become {status}.", faults=[fault])
        if status == OrderStatus.CANCELLED != order.status:
            chosen = select(OrderLine.product_id, OrderLine.quantity).where(OrderLine.order_id == order.id)
            returned = {line.product_id: line.quantity for line in await change.session.execute(chosen)}
            stock = await _lock_products(change.session, returned)
            if any(stock[id][1] + quantity > MAX_STOCK for id, quantity in returned.items()):
                fault = Fault("stock_full", "There is no room for what would come back.", pointer="/status")
                raise ConflictError("The stock can't take the order's products back.", faults=[fault])
            await _change_stock(change, returned)


def _require_own_step(before: OrderStatus, after: OrderStatus) -> None:
    if after != before and (before, after) != (OrderStatus.PENDING, OrderStatus.CANCELLED):
        raise ForbiddenError("You may cancel your order as long as it is pending; the shop does the rest.")


async def _require_active_user(session: AsyncSession, user_id: int) -> None:
    is_active = await session.scalar(select(User.is_active).where(User.id == user_id))
    if is_active is None:
        fault = Fault("reference_missing", "No such user.", pointer="/user_id")
        raise ConflictError(f"User {user_id} not found.", faults=[fault])
    if not is_active:
        fault = Fault("user_inactive", "The user is not active.", pointer="/user_id")
        raise ConflictError("Only an active user can order.", faults=[fault])


async def _lock_products(session: AsyncSession, ids: Any) -> Mapping[int, tuple[Decimal, int]]:
    """Lock products in the order of their ids; give price and stock of those that exist."""
    chosen = select(Product.id, Product.price, Product.quantity).where(Product.id.in_(ids))
    found = await session.execute(chosen.order_by(Product.id).with_for_update())
    return {id: (price, quantity) for id, price, quantity in found}


async def _lock_stock(session: AsyncSession, lines: list[OrderLineCreate]) -> dict[int, Decimal]:
    """Lock what is ordered and see that there is enough of it; give the prices."""
    products = await _lock_products(session, [line.product_id for line in lines])
    faults = [fault for index, line in enumerate(lines) if (fault := _shortage(index, line, products))]
    if faults:
        missing = any(fault.code == "reference_missing" for fault in faults)
        raise ConflictError("A product was not found." if missing else "Out of stock.", faults=faults)
    return {id: price for id, (price, _) in products.items()}


def _shortage(index: int, line: OrderLineCreate, products: Mapping[int, tuple[Decimal, int]]) -> Fault | None:
    if line.product_id not in products:
        return Fault("reference_missing", "No such product.", pointer=f"/lines/{index}/product_id")
    _, left = products[line.product_id]
    if left < line.quantity:
        return Fault("out_of_stock", f"There are {left} left.", pointer=f"/lines/{index}/quantity")
    return None


async def _change_stock(change: Change, by: Mapping[int, int]) -> None:
    """Add to the stock of products, all in one statement; the version and the history of each tell of it."""
    changed = (
        update(Product.__table__)  # type: ignore[arg-type]  # a Table; the ORM's own update would synchronise objects
        .where(Product.id.in_(by))
        .values(quantity=Product.quantity + case(by, value=Product.id), version=Product.version + 1)
    )
    async with record_changes(change, Product, list(by)):
        await change.session.execute(changed)
