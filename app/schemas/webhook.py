"""Subscriptions on the wire: the library's own."""

from colonnade import WebhookCreate, WebhookResponse, WebhookUpdate

__all__ = ["WebhookCreate", "WebhookResponse", "WebhookUpdate"]
