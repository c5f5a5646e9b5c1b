"""`/user-profiles`."""

from app.core.audience import administrators
from app.models.user_profile import UserProfile
from app.schemas.user import UserBrief
from app.schemas.user_profile import UserProfileCreate, UserProfileResponse, UserProfileUpdate
from colonnade import Listing, Policy, Resource, Schemas, allow, signed_in

user_profiles = Resource(
    UserProfile,
    schemas=Schemas(create=UserProfileCreate, update=UserProfileUpdate, response=UserProfileResponse),
    listing=Listing(filters=["user_id"], sorts=["id", "user_id"], includes={"user": UserBrief}),
    policy=Policy(
        allow("read", "create", "update", "delete", "restore", to=signed_in, own="user_id"),
        allow("everything", to=administrators),
    ),
)
