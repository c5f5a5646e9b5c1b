"""An answer before it is sent: status, raw headers, body."""

from __future__ import annotations

from typing import NamedTuple

from starlette.types import Send

from colonnade.services.document import Document

_JSON = (b"content-type", b"application/json")
_BODILESS = (204, 304)

NOT_STORED = (b"cache-control", b"no-store")
"""On every answer to somebody who has signed in: no cache between may keep it for somebody else (RFC 9111 §5.2.2.5)."""


class Reply(NamedTuple):
    """What an operation answers."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def for_principal(self) -> Reply:
        """Give the answer as somebody gets it who has signed in."""
        return self if NOT_STORED in self.headers else Reply(self.status, (*self.headers, NOT_STORED), self.body)

    async def send(self, send: Send) -> None:
        """Send it as two ASGI messages."""
        length = () if self.status in _BODILESS else (_JSON, (b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": [*length, *self.headers]})
        await send({"type": "http.response.body", "body": self.body})


def document_reply(status: int, document: Document, *headers: tuple[bytes, bytes]) -> Reply:
    """Answer one row, with its entity tag."""
    return Reply(status, ((b"etag", document.entity_tag), *headers), document.body)
