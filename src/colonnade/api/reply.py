"""An answer before it is sent: status, raw headers, body."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from starlette.types import Send

from colonnade.services.reading import Document

_JSON = (b"content-type", b"application/json")


class Reply(NamedTuple):
    """What an operation answers."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    async def send(self, send: Send) -> None:
        """Send it as two ASGI messages."""
        length = () if self.status == 204 else (_JSON, (b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": [*length, *self.headers]})
        await send({"type": "http.response.body", "body": self.body})


def document_reply(status: int, document: Document, *headers: tuple[bytes, bytes]) -> Reply:
    """Answer one row, with its entity tag."""
    return Reply(status, ((b"etag", entity_tag(document)), *headers), document.body)


def entity_tag(document: Document) -> bytes:
    """Make the entity tag of a row (RFC 9110 §8.8.3): its version, or a digest of its bytes where it has none.

    It is weak on a view that left fields out or put relations in: a relation changes without the row's version.
    """
    tag = b"%d" % document.version if document.version is not None else _digest(document.body)
    return b'"%s"' % tag if document.whole else b'W/"%s"' % tag


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=12).hexdigest().encode()
