"""Structured logs: one line an event, JSON for machines, aligned and coloured for a person (structlog).

Whoever logs by the standard library or by `structlog.get_logger()` comes out the same way: time, level, the event, what was
given with it, and the id and route of the request that it happened in.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import Processor

from colonnade.core.settings import Settings
from colonnade.core.trace import current_trace
from colonnade.observation.redaction import hide_secrets

_TALKATIVE = ("aiosqlite", "asyncio", "httpcore", "httpx", "python_multipart", "multipart")
"""Libraries that tell at `debug` or `info` what they pass on: statements with their values, addresses with their queries."""

_ECHOING = ("sqlalchemy.engine.Engine", "sqlalchemy.pool.LendingPool", "sqlalchemy.pool.impl.QueuePool")


def configure_logging(settings: Settings) -> None:
    """Have everything that this process logs written to stdout as `LOG_FORMAT` and `LOG_LEVEL` say.

    A process whose root logger has handlers already is set up by somebody else, and left alone.
    """
    if not logging.getLogger().handlers:
        logging.config.dictConfig(logging_config(settings))
    _silence_own_handlers()
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *_shared(),
                structlog.stdlib.PositionalArgumentsFormatter(),
                ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )


def logging_config(settings: Settings) -> dict[str, Any]:
    """Give what `logging.config.dictConfig` and uvicorn's `log_config` take; it can be pickled for a worker."""
    level = settings.log_level.upper()
    through = {"level": level, "handlers": [], "propagate": True}
    quiet = {name: {"level": "WARNING"} for name in _TALKATIVE}
    # It hands on each of the server's own warnings: that a primary key's name is ignored, for every table that is made.
    quiet["asyncmy"] = {"level": "ERROR"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": "colonnade.observation.logs.formatter", "log_format": settings.log_format}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stdout"}},
        "root": {"level": level, "handlers": ["stdout"]},
        # The request line says what uvicorn's access log would. That must see no handler, not even the root's: where it sees
        # one, it quotes the path of every request before it asks whether anybody wants the line.
        "loggers": {
            **quiet,
            "uvicorn": through,
            "uvicorn.error": through,
            "uvicorn.access": {"level": "WARNING", "handlers": [], "propagate": False},
        },
    }


def formatter(log_format: str) -> logging.Formatter:
    """Make the formatter of a format, `json` or `console`."""
    last: list[Processor]
    if log_format == "json":
        last = [structlog.processors.format_exc_info, hide_secrets, structlog.processors.JSONRenderer(_dump)]
    else:
        clock = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        # structlog's own tracebacks show the values of local variables, which nothing masks.
        plain = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        last = [clock, structlog.processors.format_exc_info, hide_secrets, plain]
    return ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
        processors=[ProcessorFormatter.remove_processors_meta, _drop_coloured_twin, *last],
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request,
    ]


def _add_request(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say in which request it happened."""
    trace = current_trace()
    if trace is not None:
        event.setdefault("request_id", trace.request_id)
        if route := trace.place():
            event.setdefault("route", route)
    return event


def _drop_coloured_twin(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out the second, painted copy of its message that uvicorn passes along."""
    event.pop("color_message", None)
    return event


def _dump(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def _silence_own_handlers() -> None:
    """Take away the handlers that SQLAlchemy's `echo` gives its loggers, which would write everything twice.

    One that does nothing is put in their place, since SQLAlchemy adds its own where it finds none.
    """
    for name in (*_ECHOING, *logging.root.manager.loggerDict):
        if name.startswith("sqlalchemy."):
            logging.getLogger(name).handlers[:] = [logging.NullHandler()]
