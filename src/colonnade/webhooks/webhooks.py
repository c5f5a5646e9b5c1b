"""Delivering events: one job finds who wants an event, one more for each of them sends it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from functools import cached_property
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from colonnade.core.errors import ColonnadeError
from colonnade.core.settings import Settings
from colonnade.core.signing import signed_headers
from colonnade.jobs.declaration import Job, job
from colonnade.jobs.run import JobRun
from colonnade.models.clock import utc_now
from colonnade.models.facts import read_facts
from colonnade.webhooks.event import DELIVER, PUBLISH, is_wanted
from colonnade.webhooks.transport import AddressRefusedError, GuardedTransport

RETRIES = 8
"""Attempts after the first one: some thirteen hours with the usual pauses."""

MAX_FAILURES = 5
"""Deliveries in a row that are given up before a subscription is turned off."""

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
DEADLINE = 20.0
"""Seconds for a whole delivery. `TIMEOUT` is for each step: an answer that comes byte by byte would outlast the job, and the
end of that counts for no failure of the subscriber's."""

_EVERYWHERE = ("0.0.0.0/0", "::/0")
_LOG = logging.getLogger("colonnade.webhooks")


class DeliveryError(ColonnadeError):
    """A subscriber did not take an event; it is sent again."""


class Webhooks:
    """The webhooks of an application: those of a resource whose service says `publishes = True`.

    Args:
        model: of the subscriptions, with the columns of `WebhookMixin`.
        settings: `WEBHOOK_NETWORKS` are the networks that may be asked beside public addresses, which want TLS; development
            and test may ask any.

    Attributes:
        jobs: what delivers; give them to `create_app(jobs=[*webhooks.jobs])`.
    """

    def __init__(self, model: type[DeclarativeBase], settings: Settings) -> None:
        self._model: Any = model
        self._id = read_facts(model).identity.column
        self._allowed = _EVERYWHERE if settings.env in {"development", "test"} else settings.webhook_networks
        self._deliveries = job(name=DELIVER, retries=RETRIES, timeout=30)(self._deliver)
        self.jobs: tuple[Job[...], ...] = (job(name=PUBLISH)(self._publish), self._deliveries)

    @property
    def needs_tls(self) -> bool:
        """Whether no subscriber may be asked without it."""
        return not self._allowed

    async def _publish(self, run: JobRun, event: str, payload: str) -> None:
        """Ask for a delivery to each subscription that wants the event: all of them, once."""
        model = self._model
        async with run.transaction() as session:
            found = await session.execute(sa.select(self._id, model.events).where(model.is_active.is_(True)))
            for id, patterns in found:
                if is_wanted(event, patterns):
                    await self._deliveries.request(id, f"msg_{run.id.hex}", payload).enqueue(session)

    async def _deliver(self, run: JobRun, id: int | str, message: str, payload: str) -> None:
        """Send an event to a subscription that is still there and on."""
        subscription = await self._read(run, id)
        if subscription is None or not subscription.is_active:
            return
        try:
            async with asyncio.timeout(DEADLINE):
                status = await self._post(subscription, message, payload.encode())
        except (httpx.HTTPError, httpx.InvalidURL, AddressRefusedError, TimeoutError) as error:
            await self._failed(run, id)
            told = str(error) if isinstance(error, AddressRefusedError) else type(error).__name__
            raise DeliveryError(f"webhook {id}: {told}") from None  # the cause names the URL, and what may stand in it
        if status == httpx.codes.GONE:
            await self._change(run, id, {"is_active": False, "disabled_at": utc_now()})
            _LOG.warning("webhook %s is turned off: it answered 410", id)
        elif not httpx.codes.is_success(status):
            await self._failed(run, id)
            raise DeliveryError(f"webhook {id} answered {status}")
        elif subscription.failures:
            await self._change(run, id, {"failures": 0})

    async def _read(self, run: JobRun, id: int | str) -> Any:
        async with run.database.session(read_only=True) as session:
            return await session.get(self._model, self._key(id))

    async def _post(self, subscription: Any, message: str, body: bytes) -> int:
        headers = {
            "content-type": "application/json",
            "user-agent": "colonnade-webhooks",
            **signed_headers(subscription.secret, message, int(time.time()), body),
        }
        transport = GuardedTransport(self._allowed, self._tls)
        async with (
            httpx.AsyncClient(transport=transport, timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            # What it answers beside its status is of no interest, however long it is.
            client.stream("POST", subscription.url, content=body, headers=headers) as answer,
        ):
            return answer.status_code

    async def _failed(self, run: JobRun, id: int | str) -> None:
        """Count a delivery that is given up now, and turn off a subscription that has had too many of them."""
        if run.attempt <= RETRIES:
            return
        failures = self._model.failures + 1
        await self._change(run, id, {"failures": failures})
        subscription = await self._read(run, id)
        if subscription is not None and subscription.failures >= MAX_FAILURES:
            await self._change(run, id, {"is_active": False, "disabled_at": utc_now()})
            _LOG.warning("webhook %s is turned off: %d deliveries in a row were given up", id, MAX_FAILURES)

    async def _change(self, run: JobRun, id: int | str, values: dict[str, Any]) -> None:
        async with run.database.unit_of_work() as unit:
            await unit.session.execute(sa.update(self._model).where(self._id == self._key(id)).values(values))
            await unit.commit()

    def _key(self, id: int | str) -> Any:
        """Give the id as the column has it: a UUID went through JSON."""
        return self._id.type.python_type(id)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=False)  # made once: it reads hundreds of certificates
