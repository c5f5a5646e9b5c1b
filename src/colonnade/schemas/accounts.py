"""The bodies of the account routes, and the rule for a new password."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError


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
