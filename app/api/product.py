"""`/products`; PUT takes a partial body too, as guide B's clients send it."""

from app.core.audience import administrators, staff
from app.models.product import Product
from app.schemas.category import CategoryBrief
from app.schemas.product import ProductCreate, ProductResponse, ProductUpdate
from colonnade import Listing, Policy, Resource, Routes, Schemas, allow, anyone

products = Resource(
    Product,
    schemas=Schemas(create=ProductCreate, update=ProductUpdate, response=ProductResponse),
    listing=Listing(
        filters=["name", "price", "quantity", "category_id", "category.name"],
        sorts=["id", "name", "price", "quantity", "created_at"],
        search=["name", "description"],
        includes={"category": CategoryBrief},
        deleted=True,
    ),
    routes=Routes(replace="partial", permanent_delete=True, history=True),
    policy=Policy(
        allow("read", to=anyone),
        allow("read_deleted", "read_history", "create", "update", "delete", "restore", to=staff),
        allow("everything", to=administrators),
    ),
)
