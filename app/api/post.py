"""`/posts`."""

from app.core.audience import administrators
from app.models.post import Post
from app.schemas.post import PostCreate, PostResponse, PostUpdate
from app.schemas.user import UserBrief
from app.schemas.user_profile import UserProfileResponse
from colonnade import Listing, Policy, Resource, Schemas, allow, anyone, signed_in

posts = Resource(
    Post,
    schemas=Schemas(create=PostCreate, update=PostUpdate, response=PostResponse),
    listing=Listing(
        filters=["user_id", "published", "title"],
        sorts=["id", "created_at", "title"],
        includes={"user": UserBrief, "user.profile": UserProfileResponse},
    ),
    policy=Policy(
        allow("read", to=anyone, where={"published": True}),
        allow("read", "create", "update", "delete", "restore", to=signed_in, own="user_id"),
        allow("everything", to=administrators),
    ),
)
