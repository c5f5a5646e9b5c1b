"""What an application sends, and what of it arrives: the server's side of ASGI, by raw applications over a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from colonnade.cli.protocol import HttpProtocol
from tests.serving import serving

Answer = list[dict[str, object]]

HEARD: list[str] = []


def whole(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Answer:
    """Give the messages of an answer of known length."""
    return [
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", b"%d" % len(body)), *headers],
        },
        {"type": "http.response.body", "body": body},
    ]


ANSWERS: dict[str, Answer] = {
    "/plain": whole(b"hello"),
    "/spelled": [
        {"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"5"), (b"X-Name", b"a\tb")]},
        {"type": "http.response.body", "body": b"hello"},
    ],
    "/large": whole(b"x" * 300_000),
    "/closing": whole(b"hello", (b"connection", b"Close")),
    "/empty": [{"type": "http.response.start", "status": 204}, {"type": "http.response.body"}],
    "/parts": [
        {"type": "http.response.start", "status": 200},
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": True},
        {"type": "http.response.body", "body": b"two"},
    ],
    "/split": whole(b"hello", (b"x-evil", b"a\r\nset-cookie: a=b")),
    "/control": whole(b"hello", (b"x-evil", b"a\0b")),
    "/named": whole(b"hello", (b"x evil", b"a")),
    "/nothing": [],
    "/headless": [{"type": "http.response.body", "body": b"hello"}],
    "/bodiless": whole(b"hello")[:1],
    "/short": [whole(b"hello")[0], {"type": "http.response.body", "body": b"hell"}],
    "/long": [whole(b"hello")[0], {"type": "http.response.body", "body": b"hello!"}],
    "/twice": [*whole(b"hello"), {"type": "http.response.body", "body": b"again"}],
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the path says."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/leaving":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await receive()  # the request itself
        HEARD.append((await receive())["type"])
        return
    if scope["path"] == "/echo":
        message = await receive()
        for part in whole(message["body"]):
            await send(part)
        HEARD.append((await receive())["type"])
        return
    for message in ANSWERS[scope["path"]]:
        await send(message)


class Impatient(HttpProtocol):
    """The protocol, closing what is idle for a fifth of a second."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.timeout_keep_alive = 0.2  # type: ignore[assignment]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server around it."""
    with serving(app, Impatient) as port:
        yield port


def ask(port: int, path: str, method: str = "GET", *, more: bytes = b"") -> bytes:
    """Send one request, and give everything until the server closes: at once when it wants to, else when it was idle."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\n".encode() + (more or b"\r\n"))
        text = b""
        while part := client.recv(65536):
            text += part
    return text


def parted(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Split an answer into its first line, its headers and its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    return first, headers, body


async def heard() -> None:
    """Wait until the application has noted something."""
    async with asyncio.timeout(30):
        while not HEARD:
            await asyncio.sleep(0.01)


def test_an_answer_arrives_as_it_was_sent(port: int) -> None:
    """First line, the server's own header, the application's, the body."""
    first, headers, body = parted(ask(port, "/plain"))
    assert (first, headers[-1], body) == (b"HTTP/1.1 200 OK", b"content-length: 5", b"hello")
    assert headers[0].startswith(b"date: ")


def test_names_of_headers_count_however_they_are_spelled(port: int) -> None:
    """`Content-Length` is the length, and a tab may stand in a value (RFC 9110 §5.5)."""
    _, headers, body = parted(ask(port, "/spelled"))
    assert headers[-2:] == [b"content-length: 5", b"x-name: a\tb"]
    assert body == b"hello"


def test_a_large_body_arrives_behind_its_head(port: int) -> None:
    """A body that is not copied behind its head follows it all the same."""
    assert parted(ask(port, "/large"))[2] == b"x" * 300_000


def test_head_has_no_body(port: int) -> None:
    """HEAD gets the headers of GET, the length among them, and nothing behind (RFC 9110 §9.3.2)."""
    _, headers, body = parted(ask(port, "/plain", "HEAD"))
    assert (headers[-1], body) == (b"content-length: 5", b"")


def test_an_answer_without_content_says_no_length(port: int) -> None:
    """204 has neither a length nor a body (RFC 9112 §6.3)."""
    first, headers, body = parted(ask(port, "/empty"))
    assert (first, body) == (b"HTTP/1.1 204 No Content", b"")
    assert {name.partition(b":")[0] for name in headers} == {b"date", b"server"}


def test_an_answer_of_unknown_length_is_chunked(port: int) -> None:
    """Parts are chunks, and an empty part is none: that would be the end (RFC 9112 §7.1)."""
    _, headers, body = parted(ask(port, "/parts"))
    assert headers[-1] == b"transfer-encoding: chunked"
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


def test_a_connection_ends_with_an_answer_that_says_so(port: int) -> None:
    """`Connection: close` of the application is said once, and done."""
    _, headers, body = parted(ask(port, "/closing"))
    assert (headers[-1], body) == (b"connection: Close", b"hello")
    asked_to = parted(ask(port, "/plain", more=b"Connection: close\r\n\r\n"))
    assert (asked_to[1][-1], asked_to[2]) == (b"connection: close", b"hello")


@pytest.mark.parametrize("path", ["/split", "/control", "/named", "/nothing", "/headless"])
def test_what_is_no_answer_becomes_a_500(port: int, path: str) -> None:
    """A header that would end early, or no answer at all: nothing of it goes out."""
    first, _, body = parted(ask(port, path))
    assert (first, body) == (b"HTTP/1.1 500 Internal Server Error", b"Internal Server Error")


@pytest.mark.parametrize(("path", "body"), [("/bodiless", b""), ("/short", b"hell"), ("/long", b"")])
def test_an_answer_that_is_left_unfinished_ends_the_connection(port: int, path: str, body: bytes) -> None:
    """The client sees that bytes are missing (RFC 9112 §8)."""
    _, headers, came = parted(ask(port, path))
    assert (headers[-1], came) == (b"content-length: 5", body)


def test_nothing_follows_an_answer_that_is_complete(port: int) -> None:
    """A further message is an error of the application, and none of it reaches the client."""
    assert parted(ask(port, "/twice"))[2] == b"hello"


def test_a_body_is_received_and_then_the_end(port: int) -> None:
    """After its body a request has nothing more to tell than that its client is served."""
    HEARD.clear()
    assert parted(ask(port, "/echo", "POST", more=b"Content-Length: 5\r\n\r\nhello"))[2] == b"hello"
    assert HEARD == ["http.disconnect"]


def test_who_waits_for_a_body_is_asked_to_go_on(port: int) -> None:
    """`Expect: 100-continue` is answered when the application asks for the body (RFC 9110 §10.1.1)."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert client.recv(65536).endswith(b"hello")


def test_an_application_hears_of_a_client_that_leaves(port: int) -> None:
    """Who waits for more of the request is told that nobody is there any more."""
    HEARD.clear()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET /leaving HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(65536).endswith(b"transfer-encoding: chunked\r\n\r\n")
    asyncio.run(heard())
    assert HEARD == ["http.disconnect"]


def test_a_connection_in_use_outlives_the_time_for_idle_ones(port: int) -> None:
    """The one timer of a connection starts over with each answer: ten answers in a row, then silence, then the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        for _ in range(10):
            client.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(65536).endswith(b"hello")
        assert client.recv(65536) == b""
