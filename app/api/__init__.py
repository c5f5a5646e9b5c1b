"""What is served: the resources of each version of the API, the newest version last."""

from app.api.category import categories
from app.api.order import orders
from app.api.post import posts
from app.api.product import products
from app.api.user import users
from app.api.user_profile import user_profiles
from app.api.webhook import subscriptions

VERSIONS = {"v1": [users, user_profiles, posts, categories, products, orders, subscriptions]}

TAGS = [
    {"name": "users", "description": "People with an account."},
    {"name": "user-profiles", "description": "What users tell about themselves, one to one."},
    {"name": "posts", "description": "What users write."},
    {"name": "categories", "description": "What sorts of products there are."},
    {"name": "products", "description": "What is sold, and how much of it is left."},
    {"name": "orders", "description": "What users bought; an order takes its products from the stock."},
    {"name": "webhooks", "description": "Who is told of orders, by signed requests; for administrators."},
]
