"""Serving an application with uvicorn, the way that production needs it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from colonnade.cli.application import find
from colonnade.cli.failure import CommandError
from colonnade.core.settings import Settings
from colonnade.observation.logs import configure_logging, logging_config

GRACEFUL_STOP_SECONDS = 13
"""How long requests that have begun may take to end after a stop signal.

Jobs have ten seconds after that (`jobs.worker.GRACE`), and two more are for closing what is open: the process is gone within
25, and orchestrators kill after 30.
"""

WORKER_START_SECONDS = 60
"""How long a worker may take to start, or to say that it is alive, before another is started in its place."""

_LOG = logging.getLogger("colonnade.serving")

HTTP_PROTOCOL = "colonnade.cli.protocol:HttpProtocol"
"""What speaks HTTP, by name: a worker process imports it for itself."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and how.

    Args:
        application: reference to the ASGI application, e.g. `app.main:app`.
        settings: host, port, workers and log level are taken from it.
        reload: start again when a Python file below the current folder changes; one process then.
    """

    application: str
    settings: Settings
    reload: bool = False

    def options(self) -> dict[str, Any]:
        """Give the arguments of `uvicorn.run`."""
        settings = self.settings
        return {
            "app": self.application,
            "app_dir": str(Path.cwd()),
            "host": settings.host,
            "port": settings.port,
            "workers": None if self.reload or settings.workers == 1 else settings.workers,
            "reload": self.reload,
            "log_level": settings.log_level,
            "http": HTTP_PROTOCOL,
            "log_config": logging_config(settings),
            "access_log": False,
            "server_header": False,
            "lifespan": "on",
            "timeout_graceful_shutdown": GRACEFUL_STOP_SECONDS,
            "timeout_worker_healthcheck": WORKER_START_SECONDS,
            # uvicorn alone believes a proxy on its own host, and the FORWARDED_ALLOW_IPS of whoever starts it; the
            # application reads the headers of TRUSTED_PROXIES itself.
            "proxy_headers": False,
        }


def serve(serving: Serving, before: Callable[[], None] | None = None) -> None:
    """Serve until a signal stops it: SIGTERM or SIGINT lets what has begun end, and takes nothing new.

    With several workers SIGHUP replaces one after the other, the new one serving before the old one ends; they share one
    listening socket, so that no connection is refused meanwhile. A single one goes on, and says what it would take.

    Args:
        serving: what and how.
        before: what has to be done first, once and in this process; only begun when the port is free.

    Raises:
        CommandError: the port is taken, the address is not one of this machine, or there is no such application.
        DatabaseAwayError: CLN510, its database does not answer.
    """
    hand_on(serving.settings)
    _check_port(serving.settings.host, serving.settings.port)
    if before is not None:
        before()
    _check_database(find(serving.application))
    import uvicorn

    configure_logging(serving.settings)
    if serving.settings.log_format == "console":
        print(where_to_look(serving.settings), flush=True)
    if serving.settings.workers == 1 and hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _refuse_to_restart)
    with ExitStack() as stack:
        if serving.settings.workers > 1 and serving.settings.metrics_dir is None:
            os.environ["METRICS_DIR"] = stack.enter_context(TemporaryDirectory(prefix="colonnade-"))
        uvicorn.run(**serving.options())


def _refuse_to_restart(*_: object) -> None:
    """Go on serving, where SIGHUP would end the process: nobody else takes the requests meanwhile."""
    _LOG.warning("SIGHUP replaces workers one after the other, and this is the only one: serve with --workers 2 for it")


def hand_on(settings: Settings) -> None:
    """Put into the environment what an option may have said: the application, in each worker, reads its settings anew.

    It has to know its own address, which `public_url` is made of, and that it is not the only worker.
    """
    os.environ |= {"HOST": settings.host, "PORT": str(settings.port), "WORKERS": str(settings.workers)}


def _check_database(app: Any) -> None:
    """Ask the database for a sign of life here, where one line can say that there is none.

    Inside the server the same failure is a traceback, and with several workers one each and the exit code 0.
    """
    database = getattr(getattr(app, "state", None), "database", None)
    if database is None:
        return

    async def check() -> None:
        try:
            await database.start()
        finally:
            await database.dispose()

    asyncio.run(check())


def where_to_look(settings: Settings) -> str:
    """Give the lines that tell a person which pages to open."""
    address = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - only shown
    address = f"[{address}]" if ":" in address and not address.startswith("[") else address
    root = f"http://{address}:{settings.port}"
    pages = [("/", "what this is"), ("/docs", "try the API"), ("/redoc", "read the API")]
    return "\n".join(
        [f"Serving ({settings.env}, {settings.workers} worker{'s' * (settings.workers > 1)}):"]
        + [f"  {root}{path:<8} {what}" for path, what in pages]
    )


def _check_port(host: str, port: int) -> None:
    """Try the port before anything is touched: uvicorn would only find it taken after the application has started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise CommandError(f"can't listen on {host}:{port} ({reason}); set PORT or HOST to another") from None
