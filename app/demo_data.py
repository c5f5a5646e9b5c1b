"""Demo data: believable rows for every table, the same ones each time."""

# ruff: noqa: S311  - nothing here is a secret
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from app.demo_words import (
    CITIES,
    FIRST,
    LAST,
    MATERIALS,
    OPENINGS,
    PLAIN_FIRST,
    PLAIN_LAST,
    SENTENCES,
    SHELVES,
    STYLES,
    TOPICS,
)
from app.models import Category, Order, OrderLine, OrderStatus, Post, Product, User, UserProfile, UserRole
from colonnade import Base

Row: TypeAlias = "dict[str, Any]"
Batch: TypeAlias = "tuple[type[Base], list[Row]]"

OPENED = datetime(2024, 11, 1, 9, 0, tzinfo=UTC)
"""When the shop opened: its first user's first day."""
DAYS = 730
BATCH = 2_000
LINES = (1, 3, 2, 2)
"""Lines of one order and the next, over and over: two on average."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of each table there are; their sum is what was asked for."""

    users: int
    profiles: int
    categories: int
    products: int
    posts: int
    orders: int

    @classmethod
    def of(cls, rows: int) -> Counts:
        """Spread rows over the tables; the smallest sets are users only."""
        categories = min(len(SHELVES), rows // 40)
        products = rows * 15 // 100 if categories else 0
        orders = rows // 10 if products >= max(LINES) else 0
        profiles, posts = rows // 10, rows // 4
        others = categories + products + orders + lines_of(orders) + profiles + posts
        return cls(rows - others, profiles, categories, products, posts, orders)


def lines_of(orders: int) -> int:
    """Count the lines of the first so many orders."""
    rounds, rest = divmod(orders, len(LINES))
    return rounds * sum(LINES) + sum(LINES[:rest])


def demo_data(rows: int, hashed_password: str) -> Iterator[Batch]:
    """Make rows for every table, parents before their children.

    Args:
        rows: how many in all.
        hashed_password: of every user.

    Yields:
        A model and at most `BATCH` rows of it (four times as many order lines), with their ids, which begin at 1.
    """
    counts, chance = Counts.of(rows), random.Random(1843)
    yield from _batched(User, (_user(number, counts.users, hashed_password) for number in _numbers(counts.users)))
    yield from _batched(UserProfile, (_profile(number, chance) for number in _numbers(counts.profiles)))
    yield from _batched(Category, (_category(number) for number in _numbers(counts.categories)))
    products = [_product(number, counts.categories, chance) for number in _numbers(counts.products)]
    yield from _batched(Product, iter(products))
    yield from _batched(Post, (_post(number, counts.users, chance) for number in _numbers(counts.posts)))
    yield from _orders(counts, products, chance)


def _numbers(count: int) -> range:
    return range(1, count + 1)


def _batched(model: type[Base], rows: Iterator[Row]) -> Iterator[Batch]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield model, batch
            batch = []
    if batch:
        yield model, batch


def _stamped(id: int, at: datetime) -> Row:
    return {"id": id, "created_at": at, "updated_at": at, "version": 1}


def _user(number: int, users: int, hashed_password: str) -> Row:
    first, last = number * 7 % len(FIRST), number // 3 % len(LAST)
    topic = TOPICS[number % len(TOPICS)]
    joined = OPENED + timedelta(days=DAYS) * (number - 1) / users
    email = "demo" if number == 1 else f"{PLAIN_FIRST[first]}.{PLAIN_LAST[last]}.{number}"
    return {
        **_stamped(number, joined),
        "email": f"{email}@example.com",
        "username": "demo" if number == 1 else f"{PLAIN_FIRST[first]}_{number}",
        "full_name": f"{FIRST[first]} {LAST[last]}",
        "bio": f"Reads and writes about {topic}, mostly in the evening." if number % 5 else None,
        "role": UserRole.ADMIN if number == 1 else UserRole.STAFF if number % 50 == 0 else UserRole.USER,
        "is_active": number % 20 != 19,
        "hashed_password": hashed_password,
        "last_login_at": joined + timedelta(days=number % 9, hours=3) if number % 3 else None,
    }


def _profile(number: int, chance: random.Random) -> Row:
    topic = TOPICS[number * 5 % len(TOPICS)]
    return {
        **_stamped(number, OPENED + timedelta(days=chance.random() * DAYS)),
        "user_id": number,
        "bio": f"Came for the {topic} and stayed for the people. {SENTENCES[number % len(SENTENCES)]}",
        "website": f"https://example.com/~{number}" if number % 3 else None,
        "location": CITIES[number % len(CITIES)],
        "birth_date": date(1950, 1, 1) + timedelta(days=chance.randrange(20_000)) if number % 2 else None,
    }


def _category(number: int) -> Row:
    name = list(SHELVES)[number - 1]
    things = ", ".join(_many(thing) for thing in SHELVES[name])
    return {**_stamped(number, OPENED), "name": name, "description": f"{things.capitalize()} and more."}


def _product(number: int, categories: int, chance: random.Random) -> Row:
    category = number % categories
    things = list(SHELVES.values())[category]
    thing, style, material = chance.choice(things), chance.choice(STYLES), chance.choice(MATERIALS)
    return {
        **_stamped(number, OPENED + timedelta(days=chance.random() * 30)),
        "name": f"{style} {material} {thing}",
        "description": f"{_one(thing)} of {material}, made to last. {style} as they come." if number % 4 else None,
        "price": Decimal(chance.randrange(250, 25_000)).scaleb(-2),
        "quantity": chance.randrange(200),
        "category_id": category + 1,
    }


def _one(thing: str) -> str:
    return f"{'An' if thing.startswith(('a', 'e', 'i', 'o', 'u', 'hour')) else 'A'} {thing}"


def _many(thing: str) -> str:
    return f"{thing}es" if thing.endswith(("ch", "sh", "s")) else f"{thing}s"


def _post(number: int, users: int, chance: random.Random) -> Row:
    topic = chance.choice(TOPICS)
    return {
        **_stamped(number, OPENED + timedelta(days=chance.random() * DAYS)),
        "user_id": chance.randrange(users) + 1,
        "title": f"{chance.choice(OPENINGS)} {topic}",
        "body": f"This is about {topic}. {' '.join(chance.sample(SENTENCES, 3))}",
        "published": chance.random() < 0.8,
    }


def _orders(counts: Counts, products: list[Row], chance: random.Random) -> Iterator[Batch]:
    """Make orders and their lines side by side, since the total is the lines'."""
    orders: list[Row] = []
    lines: list[Row] = []
    line = 0
    for number in _numbers(counts.orders):
        order = {
            **_stamped(number, OPENED + timedelta(days=30 + chance.random() * (DAYS - 30))),
            "user_id": chance.randrange(counts.users) + 1,
            "status": chance.choice(list(OrderStatus)),
            "total": Decimal(0),
        }
        for product in chance.sample(products, LINES[(number - 1) % len(LINES)]):
            line += 1
            quantity = chance.randrange(1, 4)
            order["total"] += product["price"] * quantity
            lines.append(
                {
                    "id": line,
                    "order_id": number,
                    "product_id": product["id"],
                    "quantity": quantity,
                    "unit_price": product["price"],
                }
            )
        orders.append(order)
        if len(orders) == BATCH or number == counts.orders:
            yield Order, orders
            yield OrderLine, lines
            orders, lines = [], []
