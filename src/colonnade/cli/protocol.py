"""HTTP/1.1 as uvicorn speaks it over httptools, with an answer's head and body in one write, and a polite end.

uvicorn writes the head when it is known and the body when that comes: two system calls, two segments, and two times that the
client wakes up. Held back until its body is there, a small answer takes one of each. Measured with 16 connections on two
cores: a third less of the server's time for a keyed read, and half as many requests a second again.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from colonnade.cli.guarded import GuardedProtocol

LINGER_SECONDS = 1.0
"""How long a connection that is idle when the server stops may still bring a request."""

_CLOSE = (b"connection", b"close")


class HttpProtocol(GuardedProtocol):
    """uvicorn's protocol, with bounds, on a `CorkedTransport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn says the same
        """Take a new connection over."""
        super().connection_made(CorkedTransport(transport, self.loop))  # type: ignore[arg-type]  # all that is used of one

    def shutdown(self) -> None:
        """End the connection without losing a request that is on its way (RFC 9112 §9.6).

        uvicorn closes an idle connection at once; a client that is just sending on it is reset, and can't know whether its
        request was carried out. Here the next answer says `Connection: close`, and only silence closes.
        """
        headers = self.server_state.default_headers
        if _CLOSE not in headers:
            headers.append(_CLOSE)
        cycle = cast(
            "RequestResponseCycle | None", self.cycle
        )  # None before the first request, whatever uvicorn declares
        if cycle is None or cycle.response_complete:
            self.loop.call_later(LINGER_SECONDS, super().shutdown)
        else:
            super().shutdown()


class CorkedTransport:
    """A transport that holds one write back until the next, or until the event loop comes round.

    No more than one is ever held: a stream of many parts goes on feeling how much the client takes, and what is written
    before something is waited for is sent before that.

    Args:
        transport: the connection.
        loop: the event loop that it belongs to.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None

    def write(self, data: bytes) -> None:
        """Hold the bytes back, or send them with those that were held."""
        if self._held is None:
            self._held = data
            self._loop.call_soon(self._flush)
        else:
            held, self._held = self._held, None
            self._transport.writelines((held, data))

    def close(self) -> None:
        """Send what is held, and close."""
        self._flush()
        self._transport.close()

    def write_eof(self) -> None:
        """Send what is held, and that nothing more will come."""
        self._flush()
        self._transport.write_eof()

    def _flush(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            if not self._transport.is_closing():  # the client may have gone since
                self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)
