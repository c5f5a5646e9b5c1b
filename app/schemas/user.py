"""Users on the wire (S9, S10, S11): a password comes in, and nothing of it ever goes out."""

from datetime import datetime
from typing import Annotated

from pydantic import EmailStr, Field

from app.models.user import UserRole
from app.schemas.shape import Body, Row, unsent
from colonnade import Email, NewPassword

Username = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_]{3,50}$", min_length=3, max_length=50, examples=["ada_l"])]
FullName = Annotated[str, Field(max_length=100, examples=["Ada Lovelace"])]
Bio = Annotated[str, Field(max_length=500, examples=["Writes about engines."])]


class UserCreate(Body):
    """A new account."""

    email: Annotated[Email, Field(examples=["ada@example.com"])]
    username: Username
    password: NewPassword
    full_name: FullName | None = None


class UserUpdate(Body):
    """What may change of an account; whatever is left out stays as it is."""

    full_name: FullName | None = None
    bio: Bio | None = None
    is_active: bool = unsent("Changed by administrators only.")
    role: UserRole = unsent("Changed by administrators only.")


class UserResponse(Row):
    """An account; others than itself and administrators do not see its address."""

    id: int = Field(examples=[1])
    email: EmailStr = Field(examples=["ada@example.com"])
    username: str = Field(examples=["ada_l"])
    full_name: str | None = Field(examples=["Ada Lovelace"])
    bio: str | None = Field(examples=["Writes about engines."])
    role: UserRole
    is_active: bool
    version: int = Field(description="Goes up by one with every change.", examples=[1])
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = Field(description="Shown with `deleted=include` or `deleted=only`, hidden otherwise.")
    deleted_at: datetime | None


class UserBrief(Row):
    """Whose a post, a profile or an order is."""

    id: int
    username: str
    full_name: str | None
