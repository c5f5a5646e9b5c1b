"""`/categories`, and the products of one category."""

from app.api.product import products
from app.core.audience import administrators, staff
from app.models.category import Category
from app.schemas.category import CategoryCreate, CategoryResponse, CategoryUpdate
from colonnade import Cache, Listing, Policy, Resource, Routes, Schemas, allow, anyone

categories = Resource(
    Category,
    schemas=Schemas(create=CategoryCreate, update=CategoryUpdate, response=CategoryResponse),
    listing=Listing(filters=["name"], sorts=["id", "name"]),
    routes=Routes(parts={"products": (products, "category_id")}, cache=Cache()),
    policy=Policy(
        allow("read", to=anyone),
        allow("create", "update", "delete", to=staff),
        allow("everything", to=administrators),
    ),
)
