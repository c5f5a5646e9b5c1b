"""`/posts`."""

from app.models.post import Post
from app.schemas.post import PostCreate, PostResponse, PostUpdate
from app.schemas.user import UserBrief
from app.schemas.user_profile import UserProfileResponse
from colonnade import Listing, Resource, Schemas

posts = Resource(
    Post,
    schemas=Schemas(create=PostCreate, update=PostUpdate, response=PostResponse),
    listing=Listing(
        filters=["user_id", "published", "title"],
        sorts=["id", "created_at", "title"],
        includes={"user": UserBrief, "user.profile": UserProfileResponse},
    ),
)
