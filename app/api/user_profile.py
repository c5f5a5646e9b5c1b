"""`/user-profiles`."""

from app.models.user_profile import UserProfile
from app.schemas.user import UserBrief
from app.schemas.user_profile import UserProfileCreate, UserProfileResponse, UserProfileUpdate
from colonnade import Listing, Resource, Schemas

user_profiles = Resource(
    UserProfile,
    schemas=Schemas(create=UserProfileCreate, update=UserProfileUpdate, response=UserProfileResponse),
    listing=Listing(filters=["user_id"], sorts=["id", "user_id"], includes={"user": UserBrief}),
)
