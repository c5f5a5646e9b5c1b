"""HTTP/1.1 as this application is served: a `Connection` with bounds, and a polite end."""

from __future__ import annotations

from typing import cast

from colonnade.cli.exchange import Exchange
from colonnade.cli.guarded import GuardedProtocol

LINGER_SECONDS = 1.0
"""How long a connection that is idle when the server stops may still bring a request."""

_CLOSE = (b"connection", b"close")


class HttpProtocol(GuardedProtocol):
    """What `colonnade serve` has uvicorn speak."""

    def shutdown(self) -> None:
        """End the connection without losing a request that is on its way (RFC 9112 §9.6).

        uvicorn closes an idle connection at once; a client that is just sending on it is reset, and can't know whether its
        request was carried out. Here the next answer says `Connection: close`, and only silence closes.
        """
        headers = self.server_state.default_headers
        if _CLOSE not in headers:
            headers.append(_CLOSE)
        exchange = cast("Exchange | None", self.cycle)  # None before the first request, whatever uvicorn declares
        if exchange is None or exchange.response_complete:
            self.loop.call_later(LINGER_SECONDS, super().shutdown)
        else:
            super().shutdown()
