"""User profiles on the wire."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl

from app.schemas.shape import Body, Id, Row

Bio = Annotated[str, Field(max_length=2000, examples=["Mathematician, the first to write for a machine."])]
Website = Annotated[HttpUrl, Field(max_length=300, examples=["https://example.com/ada"]), AfterValidator(str)]
Location = Annotated[str, Field(max_length=100, examples=["London"])]
BirthDate = Annotated[date, Field(examples=["1815-12-10"])]


class UserProfileUpdate(Body):
    """What may change of a profile; null takes a value away."""

    bio: Bio | None = None
    website: Website | None = None
    location: Location | None = None
    birth_date: BirthDate | None = None


class UserProfileCreate(UserProfileUpdate):
    """A new profile; a user has one at the most."""

    user_id: Id


class UserProfileResponse(Row):
    """A profile."""

    id: int
    user_id: int
    bio: str | None
    website: str | None
    location: str | None
    birth_date: date | None
    version: int
    created_at: datetime
    updated_at: datetime
