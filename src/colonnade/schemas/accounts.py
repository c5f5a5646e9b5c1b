"""The bodies of the account routes, and the rule for a new password."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from colonnade.schemas.derive import Email


def _require_letter_and_digit(password: SecretStr) -> SecretStr:
    text = password.get_secret_value()
    if not any(sign.isalpha() for sign in text) or not any(sign.isdigit() for sign in text):
        raise PydanticCustomError("password_too_simple", "A password needs at least one letter and one digit")
    return password


NewPassword = Annotated[
    SecretStr,
    Field(min_length=8, max_length=128, description="At least one letter and one digit.", examples=["analytical-1843"]),
    AfterValidator(_require_letter_and_digit),
]
"""A password that somebody chooses: 8 to 128 characters with a letter and a digit (S9)."""

_Password = Annotated[SecretStr, Field(max_length=1_000, examples=["analytical-1843"])]
_Token = Annotated[SecretStr, Field(max_length=1_000)]


Scope = Annotated[str, Field(max_length=48, pattern=r"^[a-z][a-z0-9_]*:(read|write)$", examples=["orders:read"])]
"""What an API key is confined to: reading, or reading and writing as the account may, the rows of one table."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PasswordGrant(BaseModel):
    """The form of OAuth 2's password grant (RFC 6749 §4.3.2); what else it may hold counts for nothing here."""

    model_config = ConfigDict(extra="ignore")

    grant_type: Literal["password"] = "password"
    username: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00]+$", examples=["ada@example.com"])]
    password: _Password


class TokenPair(BaseModel):
    """The tokens of a session (RFC 6749 §5.1)."""

    access_token: str = Field(description="Sent as `Authorization: Bearer ...`.")
    token_type: Literal["bearer"]
    expires_in: int = Field(description="Seconds that the access token holds.", examples=[900])
    refresh_token: str = Field(description="Good for one use, at `/auth/refresh`.")


class RefreshBody(_Body):
    """A refresh token."""

    refresh_token: _Token


class LogoutBody(_Body):
    """Which session ends, beside that of the access token."""

    refresh_token: _Token | None = None


class PasswordChange(_Body):
    """The password as it is, and as it shall be."""

    current_password: _Password
    new_password: NewPassword


class EmailBody(_Body):
    """The address of an account."""

    email: Annotated[Email, Field(max_length=254, examples=["ada@example.com"])]


class LinkBody(_Body):
    """What a mailed link carries."""

    token: _Token


class ResetBody(LinkBody):
    """What a mailed link carries, and the password that shall be."""

    new_password: NewPassword


class ApiKeyCreate(_Body):
    """A new API key."""

    name: Annotated[str, Field(min_length=1, max_length=100, description="For you to tell it by.", examples=["till 3"])]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    expires_at: Annotated[AwareDatetime | None, Field(description="When it ends; never where it is left out.")] = None


class ApiKeyShown(BaseModel):
    """An API key, without its secret."""

    id: int
    name: str
    prefix: str = Field(description="What the key begins with.", examples=["cln_0123456789ab"])
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class ApiKeyCreated(ApiKeyShown):
    """A new API key, with its secret."""

    key: str = Field(description="Shown now and never again; sent as `Authorization: Bearer cln_...`.")


class ApiKeyList(BaseModel):
    """All API keys of an account, the oldest first."""

    api_keys: list[ApiKeyShown]
    total: int
