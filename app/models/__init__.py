"""The tables. Importing this package imports every model, so that `Base.metadata` knows all of them (S46)."""

from app.models.category import Category
from app.models.order import Order, OrderLine, OrderStatus
from app.models.post import Post
from app.models.product import Product
from app.models.user import User, UserRole
from app.models.user_profile import UserProfile
from app.models.webhook import Webhook
from colonnade import Base, account_tables, cache_versions, history_table, idempotency_keys, job_table, rate_limits

__all__ = [
    "Category",
    "Order",
    "OrderLine",
    "OrderStatus",
    "Post",
    "Product",
    "User",
    "UserProfile",
    "UserRole",
    "Webhook",
]

# The library's own tables: the answers to requests with an Idempotency-Key, the jobs that changes ask for, what several
# workers without a Redis count of each client's requests, the versions of cached tables, who has changed what, and what
# stands beside an account.
idempotency_keys(Base.metadata)
job_table(Base.metadata)
rate_limits(Base.metadata)
cache_versions(Base.metadata)
history_table(Base.metadata)
account_tables(User)
