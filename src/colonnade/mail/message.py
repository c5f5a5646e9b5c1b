"""Making a message of a template: nothing that is put into it can add a header, a recipient or markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from colonnade.core.errors import DeclarationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Templates:
    """The templates of one folder: each mail is `<name>.subject.txt`, `<name>.txt` and perhaps `<name>.html` (Jinja).

    What is put into HTML is escaped; a name that a template uses and nobody gave is an error, not an empty text.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self, name: str) -> None:
        """Refuse a name that no template has.

        Raises:
            DeclarationError: subject or text is missing.
        """
        if missing := [part for part in (f"{name}.subject.txt", f"{name}.txt") if part not in self._names]:
            raise DeclarationError(f"no mail template {' and '.join(missing)} in {self._folder}")

    def fill(self, name: str, values: Mapping[str, Any]) -> tuple[str, str, str | None]:
        """Give subject (one line), text, and HTML where there is any.

        Raises:
            jinja2.UndefinedError: a value is missing.
        """
        subject = self._render(f"{name}.subject.txt", values)
        html = self._render(f"{name}.html", values) if f"{name}.html" in self._names else None
        return one_line(subject), self._render(f"{name}.txt", values), html

    def _render(self, file: str, values: Mapping[str, Any]) -> str:
        return self._environment.get_template(file).render(values)

    @cached_property
    def _environment(self) -> Environment:
        return Environment(
            loader=FileSystemLoader(self._folder),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._environment.list_templates())


def one_line(text: str) -> str:
    """Make one line of a text: a header ends where its line does."""
    return " ".join(_CONTROL.sub(" ", text).split())


def recipient(address: str) -> Address:
    """Read one address, and refuse whatever else may stand in it.

    Raises:
        ValueError: it is not one address.
    """
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or one_line(address) != address:
        raise ValueError("that is not one e-mail address")
    try:
        if local.isascii():
            return Address(addr_spec=f"{local}@{domain.encode('idna').decode()}")
        # A mailbox outside of ASCII (RFC 6531): the standard library parses none, but takes one in its two parts.
        if re.search(r"[\s,;:<>()\[\]\\\"]", local):
            raise ValueError
        return Address(username=local, domain=domain.encode("idna").decode())
    except (ValueError, MessageError):
        raise ValueError("that is not one e-mail address") from None


def make_message(
    sender: Address, to: Address, parts: tuple[str, str, str | None], id: str, now: datetime
) -> EmailMessage:
    """Put a message together (RFC 5322).

    Args:
        sender: who sends it.
        to: its only recipient.
        parts: subject, text, and HTML where there is any.
        id: of the job that sends it: a message that is sent twice has the same Message-ID both times.
        now: its date.
    """
    subject, text, html = parts
    message = EmailMessage(policy=SMTPUTF8)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to this
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message
