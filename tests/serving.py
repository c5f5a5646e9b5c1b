"""A real server around an application, for what can be seen over a socket only."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from colonnade.cli.serving import HTTP_PROTOCOL


@contextmanager
def serving(app: ASGIApp, http: str | type[asyncio.Protocol] = HTTP_PROTOCOL) -> Iterator[int]:
    """Serve an application on a free port of the loopback address, which is given, as `colonnade serve` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=http, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
