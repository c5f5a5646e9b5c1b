"""What uvicorn's protocol leaves open: how large a request's head may be, and how long its parts may take to come.

Neither httptools nor uvicorn bounds them: a client could send a header without end, or hold a connection by a byte now and
then. Other servers have such limits (nginx's `large_client_header_buffers` and `client_header_timeout`, Apache's
`mod_reqtimeout`). An ordinary request, which comes in one piece, costs two comparisons and sets no timer.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from colonnade.api.client_address import PEER
from colonnade.cli.connection import Connection

MAX_HEAD = 16 << 10
"""Bytes of a request's line and headers."""

DRAIN_SECONDS = 10.0
"""How long a client may read nothing of an answer that waits for it, until its connection is dropped."""

LINGER_SECONDS = 2.0
"""How long a refused client's bytes are still read: a connection closed on unread ones is reset, and the refusal lost."""


class GuardedProtocol(Connection):
    """A connection with bounds.

    Attributes:
        head_seconds: from a connection's beginning, or a request's first byte, to the end of its head.
        body_seconds: in each such stretch the body must end, or bring `body_bytes`.
        drain_seconds: in each such stretch a client must read something of what waits for it.
    """

    head_seconds: ClassVar[float] = 10.0
    body_seconds: ClassVar[float] = 10.0
    body_bytes: ClassVar[int] = 5_000
    drain_seconds: ClassVar[float] = DRAIN_SECONDS

    _head_open = False
    _before = 0  # bytes of the head in earlier chunks
    _chunk = 0  # bytes of the chunk that is being parsed
    _unusable = 0  # bytes of a body's framing since it last brought any content
    _brought = 0  # bytes of a body since the timer was set
    _refused = False
    _status = HTTPStatus.BAD_REQUEST  # of the refusal, when the parser gives up
    _timer: asyncio.TimerHandle | None = None
    _drain_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn says the same
        """Take a new connection over; it must begin to ask."""
        super().connection_made(transport)
        self._extensions: dict[str, dict[object, object]] = {PEER: {"client": self.client}}
        self._set_timer(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        self._stop_timer()
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Have the application go on: the client has read what waited, and what follows says nothing of that."""
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        super().resume_writing()

    def pause_writing(self) -> None:
        """Have the application wait, since the client does not read as fast as it writes."""
        super().pause_writing()
        self._watch_reader()

    def on_response_complete(self) -> None:
        """Go on, and have an eye on what the client has yet to read: `close()` waits for that without end."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch_reader()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and look at what is still missing of a request."""
        if self._refused:
            return
        self._chunk = len(data)
        cycle = self._latest()
        content = len(cycle.body) if cycle is not None and cycle.more_body else -1
        super().data_received(data)
        cycle = self._latest()
        if self._head_open or cycle is None or cycle.response_complete:
            self._wait_for_head()
        elif cycle.more_body:
            self._wait_for_body(content)

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._head_open, self._before = True, 0

    def on_headers_complete(self) -> None:
        """Check the head as a whole, and start the application."""
        if self._before + self._chunk > MAX_HEAD:
            self._check_size()
        if [name for name, _ in self.headers].count(b"host") != 1 and self.parser.get_http_version() != "1.0":
            # RFC 9112 §3.2: without it, or with two, servers along the way may take the request for different ones.
            self._give_up(HTTPStatus.BAD_REQUEST)
        self._head_open, self._unusable = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        self._stop_timer()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what could not be parsed; uvicorn calls this for every error of the parser."""
        self._refuse(self._status)

    def _latest(self) -> RequestResponseCycle | None:
        """Give the request that came last and its answer; uvicorn's annotation knows of no connection without any."""
        return self.cycle

    def _check_size(self) -> None:
        if len(self.url) > MAX_HEAD:
            self._give_up(HTTPStatus.REQUEST_URI_TOO_LONG)
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD:
            self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _give_up(self, status: HTTPStatus) -> None:
        """Stop the parser, which only an exception does."""
        self._status = status
        raise ValueError(status.phrase)

    def _wait_for_head(self) -> None:
        if self._head_open:
            self._before += self._chunk
            if self._before > MAX_HEAD:
                large = len(self.url) > MAX_HEAD
                self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG if large else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        # Blank lines before a request, and what follows an early answer, must not keep the connection either.
        if self._timer is None and self in self.connections:
            self._set_timer(self.head_seconds)

    def _wait_for_body(self, content_before: int) -> None:
        if len(self.cycle.body) > max(content_before, 0):
            self._unusable = 0
        else:
            # Chunk extensions and trailers: the parser keeps them, and no limit of a body's size counts them.
            self._unusable += self._chunk
            if self._unusable > MAX_HEAD:
                self._refuse(HTTPStatus.BAD_REQUEST)
                return
        self._brought += self._chunk
        if self._timer is None:
            self._brought = 0
            self._set_timer(self.body_seconds)

    def _watch_reader(self, before: int | None = None) -> None:
        """Drop the connection of a client that has read nothing of its answer since the last look."""
        waiting = self.transport.get_write_buffer_size()
        if before is None:
            if self._drain_timer is not None:
                return
        elif waiting >= before > 0:
            self.transport.abort()
            return
        self._drain_timer = None
        if waiting:
            self._drain_timer = self.loop.call_later(self.drain_seconds, self._watch_reader, waiting)

    def _set_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Time is up: end the connection, unless the client is only slow, or not the one who is."""
        self._timer = None
        cycle = self._latest()
        if cycle is None or cycle.response_complete:
            if self._head_open:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            else:
                self.transport.close()
        elif cycle.more_body or self._head_open:
            waits_for_us = self.flow.read_paused or cycle.waiting_for_100_continue
            if waits_for_us or self._brought >= self.body_bytes:
                self._brought = 0
                self._set_timer(self.body_seconds)
            else:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer without the application, where no answer has begun, and end the connection."""
        if self._refused:
            return
        self._refused = True
        self._stop_timer()
        cycle = self._latest()
        if cycle is not None and not cycle.response_complete:
            if self._head_open:
                # An earlier request is being answered: its answer is the last one, and nothing is mixed into it.
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            if cycle.response_started or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_answer(status, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()


def _answer(status: HTTPStatus, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Write a whole answer: a problem document that says no more than its status (RFC 9457 §4.2.1)."""
    body = f'{{"type":"about:blank","title":"{status.phrase}","status":{status.value}}}'.encode()
    own = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    lines = [b"HTTP/1.1 %d %b" % (status.value, status.phrase.encode())]
    lines += [b"%b: %b" % (name, value) for name, value in dict.fromkeys((*headers, *own))]
    return b"\r\n".join([*lines, b"", body])
