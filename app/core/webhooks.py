"""The application's webhooks: who subscribes is told what becomes of orders."""

from app.core.config import settings
from app.models.webhook import Webhook
from colonnade import Webhooks

webhooks = Webhooks(Webhook, settings)
