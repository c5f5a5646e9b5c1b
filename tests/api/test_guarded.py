"""Requests that are too large or too slow for the server's own parser to have an opinion: raw bytes over a real socket."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.requests import ClientDisconnect

from colonnade.cli.protocol import HttpProtocol
from tests.serving import serving

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

LEFT: list[str] = []
LARGE = threading.Event()


class Hurried(HttpProtocol):
    """The protocol with little patience, for tests that have none."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that one is over."""
        super().connection_lost(exc)
        LARGE.set()

    head_seconds = 0.4
    body_seconds = 0.4
    body_bytes = 500
    drain_seconds = 0.2


def app() -> FastAPI:
    """An application that reads every body, and notes whose client went away."""
    made = FastAPI()

    @made.get("/")
    async def hello() -> str:
        return "hello"

    @made.post("/")
    async def size(request: Request) -> int:
        try:
            return len(await request.body())
        except ClientDisconnect:
            LEFT.append(request.url.path)
            raise

    @made.get("/slow")
    def slow() -> str:
        time.sleep(0.8)
        return "at last"

    @made.get("/large")
    async def large() -> Response:
        LARGE.clear()
        return Response(b"x" * 30_000_000)

    @made.post("/early")
    async def early() -> StreamingResponse:
        return StreamingResponse(iter(["answered"]))

    return made


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with little patience; at the end it still answers."""
    with serving(app(), Hurried) as port:
        yield port
        assert ask(port, GET)[0] == 200


def ask(port: int, *parts: bytes, pause: float = 0.0) -> tuple[int, bytes]:
    """Send parts one after the other, and give status and body of what comes back before the connection's end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.settimeout(10)
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return parsed(everything(client))


def everything(client: socket.socket) -> bytes:
    """Read to the end of the connection."""
    read = b""
    while part := client.recv(65536):
        read += part
    return read


def parsed(answer: bytes) -> tuple[int, bytes]:
    """Give status and body; 0 where the connection ended without an answer."""
    if not answer:
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def header(size: int) -> bytes:
    """A request whose head has so many bytes, about."""
    return GET[:-2] + b"X-Long: " + b"x" * size + b"\r\n\r\n"


# ----------------------------------------------------------------------------------------------------------- size


def test_a_head_of_16_kib_is_taken(port: int) -> None:
    """Defaults: nearly 16 KiB of headers are within the cap, in one piece and in several."""
    assert ask(port, header(16_000))[0] == 200
    assert ask(port, header(16_000)[:9_000], header(16_000)[9_000:])[0] == 200


@pytest.mark.parametrize("size", [17_000, 60_000, 1_000_000])
def test_a_larger_head_is_431(port: int, size: int) -> None:
    """Defaults: more is refused, and the refusal arrives, however much the client goes on to send."""
    status, body = ask(port, header(size))
    assert status == 431
    assert json.loads(body) == {"type": "about:blank", "title": "Request Header Fields Too Large", "status": 431}


def test_many_small_headers_are_431(port: int) -> None:
    """Defaults: the cap is of the whole head."""
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(3_000))
    assert ask(port, b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")[0] == 431


def test_a_head_that_never_ends_is_431(port: int) -> None:
    """Defaults: it is not waited for."""
    assert ask(port, *[b"GET / HTTP/1.1\r\nHost: a\r\nX: ", *[b"x" * 1_000] * 40])[0] == 431


def test_a_long_address_is_414(port: int) -> None:
    """Defaults: a request line beyond the cap has a status of its own."""
    assert ask(port, b"GET /?" + b"q" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 414
    assert ask(port, b"GET /?" + b"q" * 20_000, b"q" * 60_000)[0] == 414


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a\r\nHost: a\r\n"])
def test_a_request_has_one_host(port: int, hosts: bytes) -> None:
    """C23: without `Host`, or with two, a request is refused (RFC 9112 §3.2)."""
    assert ask(port, b"GET / HTTP/1.1\r\nConnection: close\r\n" + hosts + b"\r\n")[0] == 400


def test_the_old_version_needs_no_host(port: int) -> None:
    """RFC 9112 §3.2: HTTP/1.0 has no `Host` to demand."""
    assert ask(port, b"GET / HTTP/1.0\r\n\r\n")[0] == 200


def test_what_is_no_request_is_400(port: int) -> None:
    """Bad input: the parser's own refusals are answered in the same form."""
    status, body = ask(port, b"NONSENSE\r\n\r\n")
    assert (status, json.loads(body)["status"]) == (400, 400)


def test_trailers_without_end_are_refused(port: int) -> None:
    """Bad input: what follows a chunked body, and the extensions of its chunks, can't fill the memory."""
    assert ask(port, CHUNKED + b"1\r\nx\r\n0\r\n", *[b"X-T: " + b"y" * 1_000 + b"\r\n"] * 2_000)[0] == 400
    assert ask(port, CHUNKED + b"1;", *[b"e" * 1_000] * 2_000)[0] == 400


def test_a_chunked_body_of_many_parts_is_taken(port: int) -> None:
    """A body's framing may be larger than the cap of a head, as long as it brings content."""
    assert ask(port, CHUNKED, *[b"1\r\nx\r\n" * 500] * 40, b"0\r\n\r\n") == (200, b"20000")


# ------------------------------------------------------------------------------------------------------------ time


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"G", b"\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(port: int, sent: bytes) -> None:
    """Defaults: half a head is answered 408 when time is up; nothing at all is not answered."""
    assert ask(port, sent)[0] == (408 if sent.strip() else 0)


def test_a_head_byte_by_byte_is_not_waited_for(port: int) -> None:
    """Defaults: the time is the whole head's, so a byte now and then does not prolong it."""
    assert ask(port, *[bytes([byte]) for byte in GET[:-2]], pause=0.03)[0] == 408


def test_the_next_request_of_a_connection_has_the_same_time(port: int) -> None:
    """Defaults: half a second request on a connection is 408 as well."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(GET.replace(b"Connection: close\r\n", b""))
        assert client.recv(65536).endswith(b'"hello"')
        client.sendall(GET[:-2])
        assert parsed(everything(client))[0] == 408


def test_a_body_that_stops_is_408(port: int) -> None:
    """Defaults: half a body is not waited for, and whoever reads it is told that the client is gone."""
    LEFT.clear()
    assert ask(port, POST % 100 + b"x" * 50)[0] == 408
    for _ in range(200):  # it is told on the server's own thread
        if LEFT:
            break
        time.sleep(0.01)
    assert LEFT == ["/"]


def test_a_body_byte_by_byte_is_408(port: int) -> None:
    """Defaults: a trickle is not taken for progress."""
    assert ask(port, POST % 100, *[b"x"] * 60, pause=0.02)[0] == 408


def test_a_body_that_comes_slowly_is_taken(port: int) -> None:
    """Defaults: a slow line that brings enough bytes in the time is let through."""
    assert ask(port, POST % 40_000, *[b"x" * 2_000] * 20, pause=0.05) == (200, b"40000")


def test_a_slow_answer_is_the_servers_own_affair(port: int) -> None:
    """Defaults: the times are the client's; an answer takes as long as it takes."""
    assert ask(port, b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == (200, b'"at last"')


def test_half_a_request_behind_another_does_not_disturb_it(port: int) -> None:
    """RFC 9112 §9.3.2: the first of two pipelined requests is answered whole, the broken second one not at all."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + header(20_000))
        answer = everything(client)
    assert answer.count(b"HTTP/1.1") == 1
    assert parsed(answer) == (200, b'"at last"')


def test_a_body_after_its_answer_does_not_keep_the_connection(port: int) -> None:
    """Defaults: who was answered early and never ends his body is let go."""
    answer = ask(port, b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", b"x")
    assert answer[0] == 200


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_a_client_that_does_not_read_is_let_go(port: int, connection: bytes) -> None:
    """Defaults: neither the connection nor the answer that waits for it is kept for somebody who takes nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: " + connection + b"\r\n\r\n")
        client.recv(1)  # it is being sent
        assert LARGE.wait(30)
