"""Subscriptions on the wire: the secret comes in, and nothing ever shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from colonnade.core.signing import read_secret
from colonnade.models.webhooks import MAX_SECRET, MAX_URL

MAX_EVENTS = 100
EVENT_PATTERN = r"^(\*|[a-z][a-z0-9_]*\.(\*|created|updated|deleted|restored))$"


def _check_url(url: str) -> str:
    if not _is_sound(url):
        raise PydanticCustomError("webhook_url", "Expected an absolute URL of https, without a user or a fragment.")
    return url


def _is_sound(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_absolute = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return is_absolute and is_plain and "@" not in parts.netloc and not parts.fragment


def _check_secret(secret: SecretStr) -> SecretStr:
    try:
        read_secret(secret.get_secret_value())
    except ValueError as error:
        raise PydanticCustomError("webhook_secret", "{reason}", {"reason": f"{error}."}) from None
    return secret


Url = Annotated[
    str,
    Field(max_length=MAX_URL, examples=["https://example.com/hooks"]),
    AfterValidator(_check_url),
]
Event = Annotated[str, Field(pattern=EVENT_PATTERN, max_length=100)]
Events = Annotated[
    list[Event],
    Field(
        min_length=1, max_length=MAX_EVENTS, description="`orders.created`, `orders.*` or `*`", examples=[["orders.*"]]
    ),
]
Secret = Annotated[
    SecretStr,
    Field(max_length=MAX_SECRET, description="Signs what is sent: `whsec_` and the Base64 of 24 to 64 random bytes."),
    AfterValidator(_check_secret),
    WithJsonSchema(
        {
            "type": "string",
            "writeOnly": True,
            "pattern": "^whsec_[A-Za-z0-9+/]{32,88}={0,2}$",
            "examples": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        }
    ),
]


def _unsent() -> Any:
    """A field of a PATCH may be left out, but null is not a value for it."""
    return Field(default_factory=lambda: None)


class WebhookCreate(BaseModel):
    """A new subscription."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: Events
    secret: Secret


class WebhookUpdate(BaseModel):
    """What may change of a subscription; `is_active: true` turns one on again, its failures forgotten."""

    model_config = ConfigDict(extra="forbid")

    url: Url = _unsent()
    events: Events = _unsent()
    secret: Secret = _unsent()
    is_active: bool = _unsent()


class WebhookResponse(BaseModel):
    """A subscription as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[1])
    url: str
    events: list[str]
    is_active: bool
    failures: int = Field(description="Deliveries in a row that were given up.")
    disabled_at: datetime | None
