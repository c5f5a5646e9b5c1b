"""`/posts`."""

from app.models.post import Post
from app.schemas.post import PostCreate, PostResponse, PostUpdate
from colonnade import Listing, Resource, Schemas

posts = Resource(
    Post,
    schemas=Schemas(create=PostCreate, update=PostUpdate, response=PostResponse),
    listing=Listing(filters=["user_id", "published", "title"], sorts=["id", "created_at", "title"]),
)
