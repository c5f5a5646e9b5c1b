"""`/users`, and the posts of one user."""

from app.api.post import posts
from app.core.audience import administrators
from app.core.config import settings
from app.models.user import User
from app.schemas.user import UserCreate, UserResponse, UserUpdate
from app.schemas.user_profile import UserProfileResponse
from app.services.user import UserService
from colonnade import Listing, Policy, Resource, Routes, Schemas, allow, anyone, signed_in

# Each account costs a mail to an address that somebody wrote into a form; RATE_LIMIT=off is for demonstrations and tests.
REGISTRATIONS = {} if settings.rate_limit is None else {"POST": "20/hour"}

users = Resource(
    User,
    schemas=Schemas(create=UserCreate, update=UserUpdate, response=UserResponse),
    listing=Listing(
        filters=["role", "is_active"],
        sorts=["id", "created_at", "username"],
        includes={"profile": UserProfileResponse},
        deleted=True,
    ),
    service=UserService(),
    routes=Routes(
        me=True, parts={"posts": (posts, "user_id")}, permanent_delete=True, bulk=False, limits=REGISTRATIONS
    ),
    policy=Policy(
        allow("create", to=anyone),
        allow("read", to=signed_in, hide=["email"]),
        allow("read", "update", to=signed_in, own="id", write=["full_name", "bio"]),
        allow("everything", to=administrators),
    ),
)
