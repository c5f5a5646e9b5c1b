"""The rules of subscriptions to webhooks."""

from __future__ import annotations

from colonnade.core.errors import Fault, RuleError
from colonnade.services.hooks import Change, Service
from colonnade.webhooks.webhooks import Webhooks


class WebhookService(Service):
    """Takes the secret in, wants TLS where the open internet is asked, and lets a subscription begin anew.

    Args:
        webhooks: of the application.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def prepare(self, change: Change) -> None:
        """Fit what was sent to the columns.

        Raises:
            RuleError: CLN202, the URL is one without TLS.
        """
        values = change.values
        if "secret" in values:
            values["secret"] = values["secret"].get_secret_value()
        if self._webhooks.needs_tls and not values.get("url", "https:").startswith("https:"):
            fault = Fault("https_required", "Only https is sent to.", pointer="/url")
            raise RuleError("A webhook's URL begins with https.", faults=[fault])
        if values.get("is_active"):
            values |= {"failures": 0, "disabled_at": None}
