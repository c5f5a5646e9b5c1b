"""What a mailed link carries: whose it is, for what, until when, and what the account was like when it was written.

Nothing is stored: a link that was used has changed the account, and does not fit it any longer; neither does any other
link of that time.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import Literal, NamedTuple

from colonnade.core.json import dump_json, parse_json
from colonnade.core.sealing import Seal, UnsealableError

Purpose = Literal["verify-email", "reset-password"]

LIFETIMES: dict[Purpose, int] = {"verify-email": 3 * 24 * 3600, "reset-password": 30 * 60}
"""Seconds that a link holds."""

MAX_LENGTH = 500
"""Characters of what stands in a link."""


class MailedLink(NamedTuple):
    """A link that was read.

    Attributes:
        subject: the account's id, as a text.
        state: of the account, as `state_of` gives it.
    """

    subject: str
    state: str


def state_of(*facts: object) -> str:
    """Make a digest of what must still be so when the link is used."""
    return blake2b("\0".join(str(fact) for fact in facts).encode(), digest_size=16).hexdigest()


class MailedLinks:
    """Writes and reads what links carry.

    Args:
        key: secret, the same in every worker.
    """

    def __init__(self, key: bytes) -> None:
        self._seal = Seal(key)

    def write(self, purpose: Purpose, link: MailedLink) -> str:
        """Write a link's token: letters, digits, `-` and `_`."""
        text = dump_json([link.subject, link.state, int(time.time()) + LIFETIMES[purpose]])
        return self._seal.close(text, purpose.encode())

    def read(self, purpose: Purpose, token: str) -> MailedLink | None:
        """Read a token; None when it is not one of ours, not for this purpose, or over."""
        try:
            content = parse_json(self._seal.open(token[: MAX_LENGTH + 1], purpose.encode()))
        except UnsealableError:
            return None
        assert isinstance(content, list)  # whatever was sealed was written above
        subject, state, expires = content
        return MailedLink(subject, state) if time.time() < expires else None
