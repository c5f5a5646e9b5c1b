"""The line of a request: what was asked, what was answered, what it cost.

A line through the standard library and structlog costs 59 microseconds, twice as much as a keyed read on SQLite; written
like this it costs three (measured bare). A request only leaves its figures here; a tenth of a second later, or when there
are many, all lines are made at once and written by one system call per four kilobytes, the most that several workers can
write to one pipe without mixing.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import time
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import orjson
import structlog

FLUSH_SECONDS = 0.1
"""How long a line may wait; a killed process loses that much."""

MAX_WAITING = 256
"""Lines that wait at most."""

_PIPE_BUF = 4096  # bytes that a write to a pipe keeps together (POSIX, limits.h)
_MAX_PATH = 500

Write = Callable[[str], object]


class RequestLine(NamedTuple):
    """What one line says.

    Attributes:
        at: when the answer ended (`time.time`).
        request_id: of the request.
        method: as it was sent.
        route: template of the route; None where none took it.
        path: without the query, which may hold somebody's data.
        status: of the answer; 499 where the client left before there was one.
        seconds: from the request's head to the last byte of the answer.
        statements: how many were run.
        principal: who asked; empty for anybody.
    """

    at: float
    request_id: str
    method: str
    route: str | None
    path: str
    status: int
    seconds: float
    statements: int
    principal: str


class RequestLog:
    """Writes the lines of requests.

    Args:
        log_format: `json` or `console`.
        write: takes text; the process's standard output when None.
    """

    def __init__(self, log_format: str, write: Write | None = None) -> None:
        self._format = _as_json if log_format == "json" else _console()
        self._write = write or _write_to_stdout
        self._waiting: list[RequestLine] = []
        _open.add(self)

    def add(self, line: RequestLine) -> None:
        """Have a line written soon; at once when it tells of a failure, or when no event loop runs."""
        self._waiting.append(line)
        if line.status >= 500 or len(self._waiting) >= MAX_WAITING:
            self.flush()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        chunk: list[str] = []
        size = 0
        for line in map(self._format, waiting):
            if chunk and size + len(line) > _PIPE_BUF:
                self._write("".join(chunk))
                chunk, size = [], 0
            chunk.append(line)
            size += len(line)
        if chunk:
            self._write("".join(chunk))


_open: weakref.WeakSet[RequestLog] = weakref.WeakSet()


@atexit.register
def _flush_all() -> None:
    for log in _open:
        log.flush()


def _as_json(line: RequestLine) -> str:
    second = int(line.at)
    shown = {
        "timestamp": f"{_utc(second)}.{int((line.at - second) * 1e6):06d}Z",
        "level": _level(line.status),
        "event": "request",
        "request_id": line.request_id,
        "method": line.method,
        "route": line.route,
        "path": line.path[:_MAX_PATH],
        "status": line.status,
        "ms": int(line.seconds * 1e6) / 1e3,
        "statements": line.statements,
        "principal": line.principal or None,
    }
    try:
        return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE).decode()
    except TypeError:  # a lone surrogate, which UTF-8 has no bytes for
        shown |= {"path": ascii(line.path[:_MAX_PATH]), "method": ascii(line.method)}
        return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE).decode()


@lru_cache(maxsize=4)
def _utc(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _console() -> Callable[[RequestLine], str]:
    """Make what shows a line to a person, coloured on a terminal."""
    render = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=0)

    def shown(line: RequestLine) -> str:
        event = {
            "timestamp": time.strftime("%H:%M:%S", time.localtime(line.at)),
            "level": _level(line.status),
            "event": _printable(f"{line.method} {line.path[:_MAX_PATH]}"),
            "status": line.status,
            "ms": round(line.seconds * 1e3, 1),
            "statements": line.statements,
            "principal": line.principal,
            "request_id": line.request_id,
        }
        if not line.principal:
            del event["principal"]
        return f"{render(None, '', event)}\n"

    return shown


def _printable(text: str) -> str:
    """Escape line breaks and the like: a path is what somebody sent."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _level(status: int) -> str:
    return "info" if status < 500 else "error"


def _write_to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
