"""Who is told of orders: subscriptions to webhooks."""

from colonnade import Base, IntegerId, Timestamps, Versioned, WebhookMixin


class Webhook(IntegerId, Timestamps, Versioned, WebhookMixin, Base):
    """Where events are sent, and which ones."""

    __tablename__ = "webhooks"
