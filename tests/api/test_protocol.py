"""How answers go over the connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

from colonnade.cli.protocol import HttpProtocol
from tests.serving import serving

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


def received(client: socket.socket, end: bytes) -> list[bytes]:
    """Read until the bytes end so; give them as they came."""
    parts: list[bytes] = []
    while not b"".join(parts).endswith(end):
        parts.append(client.recv(65536))
        assert parts[-1], "the connection was closed"
    return parts


class Observed:
    """A connection's own transport, and how often something was written to it."""

    writes = 0

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def write(self, data: bytes) -> None:
        Observed.writes += 1
        self.transport.write(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        Observed.writes += 1
        self.transport.writelines(list(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class ObservedProtocol(HttpProtocol):
    """The protocol on connections that are looked at."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Observed(transport))  # type: ignore[arg-type]


def test_a_small_answer_is_one_write() -> None:
    """Head and body of an answer go out together, for every request of a connection."""
    app = FastAPI()
    app.add_api_route("/", lambda: PlainTextResponse("hello"))
    with serving(app, ObservedProtocol) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        Observed.writes = 0
        for _ in range(50):
            client.sendall(GET % b"/")
            received(client, b"hello")
    assert Observed.writes == 50


def test_two_requests_at_once_are_answered_in_their_order() -> None:
    """Pipelined requests (RFC 9112 §9.3.2) lose nothing of their answers."""
    app = FastAPI()

    @app.get("/{word}")
    def echo(word: str) -> PlainTextResponse:
        return PlainTextResponse(word)

    with serving(app) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(GET % b"/one" + GET % b"/two")
        text = b"".join(received(client, b"two"))
    assert text.index(b"\r\n\r\none") < text.index(b"\r\n\r\ntwo")


def test_a_part_of_a_stream_is_sent_before_the_next_one_is_there() -> None:
    """What is written is not held back while the application waits: the second part comes only once the first is seen."""
    seen = threading.Event()

    def parts() -> Iterator[str]:
        yield "first"
        assert seen.wait(10)
        yield "second"

    app = FastAPI()
    app.add_api_route("/", lambda: StreamingResponse(parts()))
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(GET % b"/")
        received(client, b"5\r\nfirst\r\n")
        seen.set()
        received(client, b"6\r\nsecond\r\n0\r\n\r\n")


def test_a_large_answer_to_a_client_that_closes_arrives_whole() -> None:
    """`Connection: close`: the last write is sent before the connection ends (RFC 9112 §9.6)."""
    app = FastAPI()
    app.add_api_route("/", lambda: PlainTextResponse("x" * 2_000_000))
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = b""
        while part := client.recv(65536):
            text += part
    assert text.endswith(b"x" * 2_000_000)
