"""Sending mail: asked for in a transaction, delivered by a job."""

from __future__ import annotations

import logging
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from colonnade.core.errors import DeclarationError
from colonnade.core.settings import Settings
from colonnade.jobs.declaration import job
from colonnade.jobs.request import JobRequest
from colonnade.jobs.run import JobRun
from colonnade.mail.message import Templates, make_message, recipient
from colonnade.mail.smtp import SMTP
from colonnade.models.clock import utc_now

JOB = "colonnade.mail"
OUTBOX = Path("outbox")
_LOG = logging.getLogger("colonnade.mail")


class Mail:
    """The mail of an application.

    Args:
        templates: folder of the templates; see `Templates`.
        settings: `SMTP_URL` says by whom it is sent, `MAIL_FROM` from whom it comes. Without `SMTP_URL` development and
            test write each message into the folder `outbox/`, where any mail program opens it; elsewhere the job fails,
            and is kept until there is a server.

    Attributes:
        job: what delivers it; give it to `create_app(jobs=[mail.job])`.
    """

    def __init__(self, templates: Path, settings: Settings) -> None:
        self._templates = Templates(templates)
        self._sender = _address(settings.mail_from)
        url = settings.smtp_url
        self._smtp = None if url is None else SMTP(url.get_secret_value())
        self._outbox = OUTBOX if settings.env in {"development", "test"} else None
        self.job = job(name=JOB, retries=8)(self._deliver)

    def request(self, template: str, /, *, to: str, **values: Any) -> JobRequest:
        """Ask for a mail: `await mail.request("welcome", to=..., name=...).enqueue(change)`, or give it from `Service.jobs`.

        Args:
            template: its name.
            to: one address.
            **values: what the template shows; JSON. They stand in the job's row until the mail is delivered.

        Raises:
            DeclarationError: there is no such template, or JSON can't hold a value.
        """
        self._templates.check(template)
        return self.job.request(template, to, values)

    async def send(self, run: JobRun, template: str, /, *, to: str, **values: Any) -> None:
        """Send a mail at once, as the work of another job: for values that no job's row shall have.

        Args:
            run: of that job; its id is the message's, so that a second attempt sends the same message.
            template: its name.
            to: one address.
            **values: what the template shows.
        """
        await self._deliver(run, template, to, values)

    async def _deliver(self, run: JobRun, template: str, to: str, values: dict[str, Any]) -> None:
        try:
            address = recipient(to)
        except ValueError:
            _LOG.warning("mail %r was not sent: its address is none; job %s", template, run.id)
            return  # another attempt would not make it one
        message = make_message(self._sender, address, self._templates.fill(template, values), str(run.id), utc_now())
        if self._smtp is not None:
            await self._smtp.send(message)
        elif self._outbox is not None:
            file = _keep(self._outbox, message.as_bytes(), run)
            _LOG.info("mail %r to %s: SMTP_URL is not set, so it is in %s", template, to, file)
        else:
            raise DeclarationError("SMTP_URL is not set; set it, and have the job tried again: colonnade jobs retry")


def _address(sender: str) -> Address:
    name, address = parseaddr(sender)  # checked by the settings
    return Address(name, addr_spec=address)


def _keep(outbox: Path, message: bytes, run: JobRun) -> Path:
    outbox.mkdir(exist_ok=True)
    file = outbox / f"{run.id}.eml"
    file.write_bytes(message)
    return file
