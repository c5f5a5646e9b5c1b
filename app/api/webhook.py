"""`/webhooks`: who is told of orders. What is sent shows whole orders, so an administrator says to whom it goes."""

from app.core.webhooks import webhooks
from app.models.webhook import Webhook
from app.schemas.webhook import WebhookCreate, WebhookResponse, WebhookUpdate
from colonnade import Policy, Resource, Routes, Schemas, WebhookService, allow, role

subscriptions = Resource(
    Webhook,
    schemas=Schemas(create=WebhookCreate, update=WebhookUpdate, response=WebhookResponse),
    service=WebhookService(webhooks),
    routes=Routes(bulk=False),
    policy=Policy(allow("everything", to=role("admin"))),
)
