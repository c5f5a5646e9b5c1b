"""Who is told of changes: the columns of a subscription."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from colonnade.models.mixins import SERVER_OWNED
from colonnade.models.types import JsonDocument, UTCDateTime

MAX_URL = 2_000
MAX_SECRET = 120


class WebhookMixin:
    """A subscription: where events are sent, which ones, and the secret that signs them; a class needs a key beside it."""

    url: Mapped[str] = mapped_column(String(MAX_URL))
    events: Mapped[list[str]] = mapped_column(JsonDocument)
    secret: Mapped[str] = mapped_column(String(MAX_SECRET))
    is_active: Mapped[bool] = mapped_column(default=True)
    # Deliveries in a row that were given up; one that succeeds sets it to 0.
    failures: Mapped[int] = mapped_column(Integer, default=0, info=SERVER_OWNED)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime(), info=SERVER_OWNED)
