"""`/posts`."""

from app.models.post import Post
from app.schemas.post import PostCreate, PostResponse, PostUpdate
from colonnade import Listing, Resource

posts = Resource(
    Post,
    schemas={"create": PostCreate, "update": PostUpdate, "response": PostResponse},
    listing=Listing(filters=["user_id", "published", "title"], sorts=["id", "created_at", "title"]),
)
