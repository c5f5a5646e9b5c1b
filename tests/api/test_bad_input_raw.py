"""Bad input that no decent client can send: raw bytes over a real socket, to a real server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from colonnade import Database
from tests.library import Shelf, library_app
from tests.serving import serving


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server of the library; at the end it still answers."""
    with serving(library_app(Database("sqlite://", metadata=Shelf.metadata))) as port:
        yield port
        assert ask(port, b"GET /api/v1/books HTTP/1.1\r\nHost: a\r\n\r\n")[0][0] == 200


def ask(port: int, *requests: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Send requests on one connection, one after the other, and give each one's status, headers and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, connection.makefile("rb") as answers:
        found = []
        for request in requests:
            connection.sendall(request)
            status = int(answers.readline().split()[1])
            headers = dict(
                line.decode("latin-1").lower().strip().split(": ", 1) for line in iter(answers.readline, b"\r\n")
            )
            found.append((status, headers, answers.read(int(headers.get("content-length", 0)))))
        return found


def body(method: bytes, path: bytes, content: bytes, *headers: bytes) -> bytes:
    """Write a request with a JSON body."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: a", b"Content-Type: application/json", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(content), b"", content])


GOOD = b"GET /api/v1/books HTTP/1.1\r\nHost: a\r\n\r\n"

REFUSED = [
    (b"GET /api/v1/books?title=\xff HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    (b"GET /api/v1/books?\xc3\x28=1 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    (b"GET /api/v1/books/%ff HTTP/1.1\r\nHost: a\r\n\r\n", {422}),
    (b"GET /api/v1/books/%ed%a0%80 HTTP/1.1\r\nHost: a\r\n\r\n", {422}),
    (b"GET /api/v1/books/%00 HTTP/1.1\r\nHost: a\r\n\r\n", {422}),
    (b"GET /api/v1/books/1%0d%0aX-Evil:1 HTTP/1.1\r\nHost: a\r\n\r\n", {422}),
    (b"GET /api/v1/books?title=%zz&title%5b%5d=1 HTTP/1.1\r\nHost: a\r\n\r\n", {422}),
    (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", {404}),
    (b"GET //evil.test/ HTTP/1.1\r\nHost: a\r\n\r\n", {404}),
    (b"BREW /api/v1/books HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", {400, 405}),
    (body(b"POST", b"/api/v1/books", b'{"title": "\xff"}'), {400}),
    (body(b"POST", b"/api/v1/books", b'{"title": "\\ud800"}'), {422}),
    (body(b"POST", b"/api/v1/books", b"[" * 100_000), {400}),
    (body(b"POST", b"/api/v1/books", b'{"title": "a", "pages": 1e99999999}'), {422}),
    (body(b"PATCH", b"/api/v1/books/%ff", b"{}"), {422}),
    (body(b"POST", b"/api/v1/books", b"{}", b"Content-Type: text/plain"), {415, 422}),
    (body(b"POST", b"/api/v1/books", b"{}", b"X-Request-ID: a b\x01"), {400, 422}),
]


@pytest.mark.parametrize(("request_bytes", "statuses"), REFUSED, ids=[repr(raw[:40]) for raw, _ in REFUSED])
def test_raw_bytes_are_refused(port: int, request_bytes: bytes, statuses: set[int]) -> None:
    """Each is refused with a problem document, unless the server's own parser refuses it, and nothing is stored."""
    ((status, headers, content),) = ask(port, request_bytes)
    assert status in statuses
    if headers["content-type"] == "application/problem+json":
        assert json.loads(content)["status"] == status
    assert json.loads(ask(port, GOOD)[0][2])["total"] == 0


@pytest.mark.parametrize("number", [2, 4, 6, 10, 11, 13])
def test_a_connection_outlives_a_refusal(port: int, number: int) -> None:
    """The next request on the same connection is answered as ever."""
    answers = ask(port, REFUSED[number][0], GOOD, REFUSED[number][0], GOOD)
    assert [status for status, _, _ in answers][1::2] == [200, 200]


def test_a_body_that_never_ends_is_stopped(port: int) -> None:
    """20 MB without a length are refused before they are all there."""
    head = b"POST /api/v1/books HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        try:
            for _ in range(320):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("sent", [b'{"title": "a"', b""])
def test_a_client_that_goes_away_leaves_nothing(port: int, sent: bytes) -> None:
    """Half a body and no more: nothing is stored, and the server goes on."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(body(b"POST", b"/api/v1/books", b"x" * 100)[:-100] + sent)
    assert json.loads(ask(port, GOOD)[0][2])["total"] == 0
