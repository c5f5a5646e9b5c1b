"""Who may do what in the reference application: every route, asked by everybody; a route that is not listed here fails."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.models import Category, Order, OrderLine, OrderStatus, Post, Product, User, UserProfile, UserRole
from colonnade import Base, utc_now
from colonnade.api.route import ResourceRoute
from tests.magazine import by_header
from tests.shop import HOST

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]

PREFIX = "/api/v1"
WHO = {"anybody": "", "stranger": "2 user", "owner": "1 user", "staff": "3 staff", "admin": "4 admin"}

USER = {"email": "new@example.com", "username": "new_one", "password": "analytical-1843"}
POST, PRODUCT, ORDER = (
    {"user_id": 1, "title": "x", "body": "x"},
    {"name": "x", "price": 1},
    {"user_id": 1, "lines": [{"product_id": 1, "quantity": 1}]},
)
RENAMED, PUBLISHED, CANCELLED = {"full_name": "x"}, {"published": True}, {"status": "cancelled"}
FIRST = {"ids": [1]}
HOOK = {"url": "https://example.com/", "events": ["orders.*"], "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
BATCH = {"operations": [{"id": "a", "method": "PATCH", "path": "/api/v1/posts/1", "body": PUBLISHED}]}


def many(item: dict[str, Any]) -> dict[str, Any]:
    """Give the body of a bulk creation of one row."""
    return {"items": [item]}


def changing(values: dict[str, Any]) -> dict[str, Any]:
    """Give the body of a bulk change of the first row."""
    return {"ids": [1], "set": values}


# Of each route what each gets who asks: anybody, another user, the owner of the row, staff, an administrator. The row is the
# first one, which is a user, or a user's; `restore` is of one that was deleted. 409 is an answer to who may: the user has
# orders, the profile is there already.
MATRIX: dict[str, tuple[str, Any]] = {
    "GET /users": ("401 200 200 200 200", None),
    "GET /users?deleted=only": ("401 403 403 403 200", None),
    "POST /users": ("201 201 201 201 201", USER),
    "GET /users/me": ("401 200 200 200 200", None),
    "GET /users/{id}": ("401 200 200 200 200", None),
    "PATCH /users/{id}": ("401 403 200 403 200", RENAMED),
    "DELETE /users/{id}": ("401 403 403 403 409", None),
    "DELETE /users/{id}?permanent=true": ("401 403 403 403 409", None),
    "POST /users/{id}/restore": ("401 403 403 403 200", None),
    "GET /users/{id}/posts": ("401 200 200 200 200", None),
    "GET /user-profiles": ("401 200 200 200 200", None),
    "POST /user-profiles": ("401 403 409 403 409", {"user_id": 1}),
    "GET /user-profiles/{id}": ("401 404 200 404 200", None),
    "PATCH /user-profiles/{id}": ("401 404 200 404 200", {"bio": "x"}),
    "DELETE /user-profiles/{id}": ("401 404 204 404 204", None),
    "POST /user-profiles/{id}/restore": ("401 404 409 404 409", None),
    "POST /user-profiles/bulk": ("401 403 409 403 409", many({"user_id": 1})),
    "PATCH /user-profiles/bulk": ("401 404 200 404 200", changing({"bio": "x"})),
    "POST /user-profiles/bulk-delete": ("401 404 200 404 200", FIRST),
    "GET /posts": ("200 200 200 200 200", None),
    "POST /posts": ("401 403 201 403 201", POST),
    "GET /posts/{id}": ("404 404 200 404 200", None),
    "PATCH /posts/{id}": ("401 404 200 404 200", PUBLISHED),
    "DELETE /posts/{id}": ("401 404 204 404 204", None),
    "POST /posts/{id}/restore": ("401 404 200 404 200", None),
    "POST /posts/bulk": ("401 403 201 403 201", many(POST)),
    "PATCH /posts/bulk": ("401 404 200 404 200", changing(PUBLISHED)),
    "POST /posts/bulk-delete": ("401 404 200 404 200", FIRST),
    "GET /categories": ("200 200 200 200 200", None),
    "POST /categories": ("401 403 403 201 201", {"name": "x"}),
    "GET /categories/{id}": ("200 200 200 200 200", None),
    "PATCH /categories/{id}": ("401 403 403 200 200", {"name": "x"}),
    "DELETE /categories/{id}": ("401 403 403 204 204", None),
    "GET /categories/{id}/products": ("200 200 200 200 200", None),
    "POST /categories/bulk": ("401 403 403 201 201", many({"name": "x"})),
    "PATCH /categories/bulk": ("401 403 403 200 200", changing({"name": "x"})),
    "POST /categories/bulk-delete": ("401 403 403 200 200", FIRST),
    "GET /products": ("200 200 200 200 200", None),
    "GET /products?deleted=include": ("401 403 403 200 200", None),
    "POST /products": ("401 403 403 201 201", PRODUCT),
    "GET /products/{id}": ("200 200 200 200 200", None),
    "PATCH /products/{id}": ("401 403 403 200 200", {"price": 2}),
    "PUT /products/{id}": ("401 403 403 200 200", {"price": 2}),
    "DELETE /products/{id}": ("401 403 403 409 409", None),
    "DELETE /products/{id}?permanent=true": ("401 403 403 403 409", None),
    "POST /products/{id}/restore": ("401 403 403 200 200", None),
    "GET /products/{id}/history": ("401 403 403 200 200", None),
    "POST /products/bulk": ("401 403 403 201 201", many(PRODUCT)),
    "PATCH /products/bulk": ("401 403 403 200 200", changing({"price": 2})),
    "POST /products/bulk-delete": ("401 403 403 409 409", FIRST),
    "GET /orders": ("401 200 200 200 200", None),
    "POST /orders": ("401 403 201 403 201", ORDER),
    "GET /orders/{id}": ("401 404 200 200 200", None),
    "PATCH /orders/{id}": ("401 404 200 200 200", CANCELLED),
    "GET /orders/{id}/history": ("401 404 200 200 200", None),
    "POST /orders/bulk": ("401 403 201 403 201", many(ORDER)),
    "PATCH /orders/bulk": ("401 404 200 200 200", changing(CANCELLED)),
    "GET /webhooks": ("401 403 403 403 200", None),
    "POST /webhooks": ("401 403 403 403 201", HOOK),
    "GET /webhooks/{id}": ("401 403 403 403 404", None),  # there is none
    "PATCH /webhooks/{id}": ("401 403 403 403 404", {"is_active": False}),
    "DELETE /webhooks/{id}": ("401 403 403 403 404", None),
    "POST /batch": ("401 404 200 404 200", BATCH),
}

DELETED = {"users": 5, "user-profiles": 2, "posts": 2, "products": 2}

# Routes that ask nobody, and those that ask for credentials by themselves, in tests of their own.
APART = ("/auth/", "/admin/", "/health", "/docs", "/redoc", "/openapi.json", "/errors/", "/metrics", "/debug/")
APART += ("/verify-email/", "/reset-password/")  # the pages that mailed links lead to


def user(id: int, role: UserRole, **values: Any) -> dict[str, Any]:
    """Give a user's row."""
    names = {"email": f"{id}@example.com", "username": f"user_{id}", "hashed_password": "x"}
    return {"id": id, "role": role, **names, **values}


GONE = {"is_deleted": True, "deleted_at": utc_now(), "alive": None}
ROWS: list[tuple[type[Base], list[dict[str, Any]]]] = [
    (User, [user(1, UserRole.USER), user(2, UserRole.USER), user(3, UserRole.STAFF), user(4, UserRole.ADMIN)]),
    (User, [user(5, UserRole.USER, **GONE)]),
    (UserProfile, [{"id": 1, "user_id": 1}]),
    (UserProfile, [{"id": 2, "user_id": 1, **GONE}]),
    (Post, [{"id": 1, "user_id": 1, "title": "x", "body": "x"}]),
    (Post, [{"id": 2, "user_id": 1, "title": "x", "body": "x", "is_deleted": True, "deleted_at": utc_now()}]),
    (Category, [{"id": 1, "name": "Lamps"}]),
    (Product, [{"id": 1, "name": "Lamp", "price": 1, "quantity": 9}]),
    (Product, [{"id": 2, "name": "Gone", "price": 1, "is_deleted": True, "deleted_at": utc_now()}]),
    (Order, [{"id": 1, "user_id": 1, "status": OrderStatus.PENDING, "total": 1}]),
    (OrderLine, [{"id": 1, "order_id": 1, "product_id": 1, "quantity": 1, "unit_price": 1}]),
]


@pytest.fixture
async def clients(shop_app: FastAPI) -> dict[str, httpx.AsyncClient]:
    """A client of each who asks."""
    shop_app.state.colonnade.authenticate = by_header
    transport = httpx.ASGITransport(shop_app)
    return {
        who: httpx.AsyncClient(
            transport=transport, base_url=HOST + PREFIX, headers={"X-Account": account} if account else {}
        )
        for who, account in WHO.items()
    }


async def restock(app: FastAPI) -> None:
    """Store the rows as they are in the beginning."""
    async with app.state.database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            await connection.execute(sa.delete(table))
        for model, rows in ROWS:
            await connection.execute(sa.insert(model.__table__), rows)  # type: ignore[arg-type]  # a Table


async def test_every_route_answers_each_as_listed(shop_app: FastAPI, clients: dict[str, httpx.AsyncClient]) -> None:
    """S78, reliability, authorisation matrix: route by method by role by owner."""
    wrong = []
    for route, (wanted, body) in MATRIX.items():
        method, path = route.split()
        resource = path.split("/")[1]
        id = DELETED[resource] if path.endswith("/restore") else 1
        found = []
        for client in clients.values():
            await restock(shop_app)
            answer = await client.request(method, HOST + PREFIX + path.replace("{id}", str(id)), json=body)
            found.append(str(answer.status_code))
        if " ".join(found) != wanted:
            wrong.append((route, wanted, " ".join(found)))
    assert wrong == []


async def test_every_route_is_listed(shop_app: FastAPI) -> None:
    """S78: denied unless listed; who adds a route says here who may."""
    listed = {route.partition("?")[0] for route in MATRIX}
    served = set()
    for context in iter_route_contexts(shop_app.routes):
        path = (context.path or "").removeprefix(PREFIX).removeprefix("/api")
        if path not in {"", "/"} and not any(part in f"{path}/" for part in APART):
            served |= {f"{method} {path}" for method in (context.methods or {"GET"}) - {"HEAD", "OPTIONS"}}
    assert served == listed


async def test_every_resource_has_a_policy(shop_app: FastAPI) -> None:
    """S78: a resource of an application with accounts is under a policy."""
    from colonnade.policy.policy import policy_of

    routes = [context.original_route for context in iter_route_contexts(shop_app.routes)]
    models = {route.model for route in routes if isinstance(route, ResourceRoute) and route.model is not None}
    assert models
    assert [model for model in models if policy_of(model) is None] == []
