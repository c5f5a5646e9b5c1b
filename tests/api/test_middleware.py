"""What stands around every request: ids, headers, CORS, hosts, the catch-all and the body limit (S19, S24, S37)."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable
from http.client import HTTPConnection, IncompleteRead
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.health import health_router
from colonnade.api.middleware import (
    MAX_BODY_SIZE,
    AllowedHosts,
    BodyLimit,
    CatchAll,
    Forwarded,
    StandardHeaders,
    get_request_id,
    middleware_stack,
)
from colonnade.core.errors import DatabaseAwayError
from colonnade.core.settings import Settings
from tests.serving import serving

pytestmark = pytest.mark.anyio

ORIGIN = "https://shop.example.org"
OWN_ID = re.compile(r"[0-9a-f]{32}")


def client(app: ASGIApp, base_url: str = "http://api.test") -> httpx.AsyncClient:
    """A client of the application in this process; an exception that leaves the application fails the test."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)


def service(**settings: Any) -> FastAPI:
    """An application with the whole stack and one route of each kind."""
    stack = middleware_stack(Settings(_env_file=None, **{"env": "test", **settings}))
    app = FastAPI(middleware=stack, redirect_slashes=False)

    @app.get("/ok")
    async def ok(request: Request) -> dict[str, str | None]:
        return {"request_id": request.state.request_id, "current": get_request_id()}

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("the secret recipe")

    @app.post("/count")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.post("/deaf")
    async def deaf() -> str:
        return "never read the body"

    return app


# ---------------------------------------------------------------------------------------------------- request id


@pytest.mark.parametrize("sent", ["a", "A.b_c-9", "x" * 128])
async def test_sound_request_id_is_taken(sent: str) -> None:
    """S37: a client's own request id comes back when it is 1..128 of `[A-Za-z0-9._-]`."""
    async with client(service()) as http:
        answer = await http.get("/ok", headers={"X-Request-ID": sent})
    assert answer.headers.get_list("x-request-id") == [sent]
    assert answer.json() == {"request_id": sent, "current": sent}


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a\tb", "ä", "a/b", "<script>", "a\x00"])
async def test_other_request_id_is_replaced(sent: str) -> None:
    """S37: any other request id is replaced, so that nobody writes into headers and logs as he pleases."""
    async with client(service()) as http:
        answer = await http.get("/ok", headers=[(b"x-request-id", sent.encode())])
    assert OWN_ID.fullmatch(answer.headers["x-request-id"])


async def test_each_request_gets_its_own_id() -> None:
    """S37: without one from the client, ids differ."""
    async with client(service()) as http:
        ids = {(await http.get("/ok")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize("path", ["/ok", "/missing", "/boom", "/ok/"])
async def test_request_id_is_always_answered(path: str) -> None:
    """S37: answers of every kind carry the id."""
    async with client(service()) as http:
        answer = await http.get(path, headers={"X-Request-ID": "mine"})
    assert answer.headers.get_list("x-request-id") == ["mine"]


def test_no_request_no_id() -> None:
    """S37: outside of a request there is no id."""
    assert get_request_id() is None


# ----------------------------------------------------------------------------------------------- security headers


@pytest.mark.parametrize("path", ["/ok", "/missing", "/boom"])
async def test_security_headers_stand_on_every_answer(path: str) -> None:
    """Defaults: nosniff, no frames, no referrer, on errors too."""
    async with client(service()) as http:
        headers = (await http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in headers


async def test_tls_is_kept() -> None:
    """Defaults: a browser that came over TLS is told to keep doing so."""
    async with client(service(), base_url="https://api.test") as http:
        assert (await http.get("/ok")).headers["strict-transport-security"] == "max-age=31536000"


async def test_shared_header_list_does_not_grow() -> None:
    """A route may answer with the same precomputed list of headers each time."""
    headers = [(b"content-length", b"0")]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body"})

    async with client(StandardHeaders(app)) as http:
        await http.get("/")
        await http.get("/")
    assert headers == [(b"content-length", b"0")]


@pytest.mark.parametrize("middleware", [Forwarded, StandardHeaders, CatchAll, BodyLimit])
async def test_other_scopes_pass_through(middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    """Lifespan and WebSocket scopes are handed on untouched."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    async def nothing(*_: object) -> Any: ...

    scope = {"type": "lifespan"}
    await middleware(app)(scope, nothing, nothing)
    assert seen == [({"type": "lifespan"}, nothing, nothing)]


@pytest.mark.parametrize(
    ("header", "value", "scheme"),
    [
        ("x-forwarded-proto", "https", "https"),
        ("x-forwarded-proto", "http, HTTPS", "https"),
        ("x-forwarded-proto", "javascript", "http"),
        ("forwarded", "for=1.2.3.4;proto=http, for=5.6.7.8;proto=https", "https"),
    ],
)
async def test_a_trusted_proxy_tells_of_tls(header: str, value: str, scheme: str) -> None:
    """Defaults: the scheme is what the listed proxy was called over, and nobody else's word counts."""
    for proxies, told in ((("127.0.0.1",), scheme), (("10.0.0.1",), "http")):
        async with client(service(trusted_proxies=proxies)) as http:
            headers = (await http.get("/ok", headers={header: value})).headers
        assert ("strict-transport-security" in headers) is (told == "https")


async def test_an_endpoint_sees_the_client_behind_a_trusted_proxy() -> None:
    """S32: `request.client` is the client's own address, or nobody where only the server has believed a header."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"])

    async def nothing(*_: object) -> Any: ...

    for peer, proxies in (("10.0.0.1", ["10.0.0.0/8"]), ("203.0.113.1", []), ("192.0.2.7", [])):
        headers = [(b"x-forwarded-for", b"203.0.113.1")]
        scope = {"type": "http", "client": (peer, 4711), "headers": headers}
        await Forwarded(app, proxies)(scope, nothing, nothing)
    assert seen == [("203.0.113.1", 0), None, ("192.0.2.7", 4711)]


# ------------------------------------------------------------------------------------------------------ catch-all


async def test_unhandled_exception_is_a_generic_problem() -> None:
    """S19: a 500 is a problem document with the request id and nothing of what went wrong."""
    async with client(service()) as http:
        answer = await http.get("/boom", headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["request_id"] == "mine"
    assert "recipe" not in answer.text
    assert "RuntimeError" not in answer.text


async def test_unhandled_exception_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """S37: the log has the request id, the path and the traceback, once, and no query string."""
    async with client(service()) as http:
        await http.get("/boom?token=hidden", headers={"X-Request-ID": "mine"})
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "unhandled exception in GET '/boom', request mine"
    assert record.__dict__["request_id"] == "mine"
    assert record.exc_info
    assert str(record.exc_info[1]) == "the secret recipe"
    assert "hidden" not in caplog.text


async def test_path_can_not_forge_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """S37: a line break in a path stays an escape in the log."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    async with client(CatchAll(app)) as http:
        await http.get("/a%0Aroot logged in")
    assert r"'/a\nroot logged in'" in caplog.records[0].getMessage()


async def test_begun_answer_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    """S19: an answer that has begun gets no second start; it stays unfinished, and the server closes the connection."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half way")

    async def keep(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    await CatchAll(app)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, keep)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert "half way" in caplog.text


def test_client_sees_a_cut_answer() -> None:
    """S19: over the wire an answer that broke off can't be taken for a whole one."""
    app = service()

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("half way")

        return StreamingResponse(pieces())

    with serving(app) as port:
        http = HTTPConnection("127.0.0.1", port, timeout=30)
        http.request("GET", "/half")
        with pytest.raises(IncompleteRead):
            http.getresponse().read()
        http.close()


async def test_problem_of_a_middleware_keeps_its_status(caplog: pytest.LogCaptureFixture) -> None:
    """S19: a problem raised outside of the routes is answered as what it is, and is no news for the log."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise DatabaseAwayError(retry_after=3)

    async with client(CatchAll(app)) as http:
        answer = await http.get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert caplog.records == []


async def test_client_that_left_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """S37: a client that goes away while it sends is not an exception to log."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    async def nothing(*_: object) -> Any: ...

    await CatchAll(app)({"type": "http", "method": "POST", "path": "/", "headers": []}, nothing, nothing)
    assert caplog.records == []


# ----------------------------------------------------------------------------------------------------- body limit


async def chunks(size: int) -> AsyncIterator[bytes]:
    """A body in pieces, whose length is not declared."""
    for _ in range(size // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("path", ["/count", "/deaf", "/missing"])
@pytest.mark.parametrize("declared", [True, False])
async def test_20_mb_body_is_refused(path: str, declared: bool) -> None:
    """Bad input: 20 MB, declared or in chunks, is 413 as a problem wherever it is sent and read."""
    size = 20 << 20
    async with client(service()) as http:
        answer = await http.post(path, content=b"x" * size if declared else chunks(size))
    if declared or path == "/count":
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert (answer.json()["code"], answer.json()["request_id"]) == ("CLN120", answer.headers["x-request-id"])
    else:
        assert answer.status_code in {200, 404}  # never read, so never too much


@pytest.mark.parametrize("declared", [True, False])
async def test_body_at_the_limit_is_taken(declared: bool) -> None:
    """Defaults: 1 MiB is taken to the last byte."""
    async with client(service()) as http:
        answer = await http.post("/count", content=b"x" * MAX_BODY_SIZE if declared else chunks(MAX_BODY_SIZE))
    assert (answer.status_code, answer.json()) == (200, MAX_BODY_SIZE)


async def test_one_byte_more_is_refused() -> None:
    """Defaults: 1 MiB and a byte is not."""
    async with client(service()) as http:
        assert (await http.post("/count", content=b"x" * (MAX_BODY_SIZE + 1))).status_code == 413


@pytest.mark.parametrize("length", ["9" * 30, "-1", "1e3", "٣"])
async def test_absurd_length_does_not_pass_uncounted(length: str) -> None:
    """Bad input: a declared length that is no plausible number does not switch the counting off."""
    async with client(service()) as http:
        answer = await http.post("/count", content=b"x" * (2 << 20), headers=[(b"content-length", length.encode())])
    assert answer.status_code == 413


async def test_route_may_take_more() -> None:
    """A route may have a limit of its own, above the application's (Starlette's `max_body_size`)."""
    app = service()

    async def upload(request: Request) -> Response:
        return Response(str(len(await request.body())))

    app.router.routes.append(Route("/upload", upload, methods=["POST"], max_body_size=4 << 20))
    async with client(app) as http:
        assert (await http.post("/upload", content=b"x" * (2 << 20))).text == str(2 << 20)
        assert (await http.post("/upload", content=b"x" * (5 << 20))).status_code == 413


def test_connection_outlives_a_refused_body() -> None:
    """Bad input: after 20 MB were refused, the same connection takes the next request."""
    with serving(service()) as port:
        http = HTTPConnection("127.0.0.1", port, timeout=30)
        http.request("POST", "/count", body=b"x" * (20 << 20))
        refused = http.getresponse()
        assert (refused.status, refused.read()[:1]) == (413, b"{")
        kept = http.sock
        http.request("POST", "/count", body=b"12")
        assert http.getresponse().read() == b"2"
        assert http.sock is kept
        http.close()


# ----------------------------------------------------------------------------------------------------------- CORS


@pytest.mark.parametrize("path", ["/ok", "/missing", "/boom"])
async def test_listed_origin_reads_every_answer(path: str) -> None:
    """S24: CORS headers stand on error answers too, with credentials and the headers a script may read."""
    async with client(service(allowed_origins=(ORIGIN,))) as http:
        headers = (await http.get(path, headers={"Origin": ORIGIN})).headers
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-credentials"] == "true"
    exposed = {name.strip() for name in headers["access-control-expose-headers"].split(",")}
    assert {"ETag", "Location", "Link", "X-Request-ID", "Retry-After"} <= exposed
    assert headers.get_list("vary", split_commas=True) == ["Origin"]


async def test_other_origin_reads_nothing() -> None:
    """S24: an origin that is not listed gets no permission."""
    async with client(service(allowed_origins=(ORIGIN,))) as http:
        headers = (await http.get("/ok", headers={"Origin": "https://evil.example"})).headers
    assert "access-control-allow-origin" not in headers


async def test_answer_without_origin_varies_by_it() -> None:
    """S24: a cache must not give an answer without CORS headers to a browser on another origin."""
    async with client(service(allowed_origins=(ORIGIN,))) as http:
        headers = (await http.get("/ok")).headers
    assert headers.get_list("vary", split_commas=True) == ["Origin"]
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_preflight_allows_the_methods_and_headers_of_the_api(method: str) -> None:
    """S24: every method of the API, Content-Type, Authorization and the API's own headers."""
    asked = "content-type,authorization,if-match,if-none-match,idempotency-key,x-request-id,prefer"
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": asked,
    }
    async with client(service(allowed_origins=(ORIGIN,))) as http:
        answer = await http.options("/ok", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert OWN_ID.fullmatch(answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "asked",
    [
        {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"},
        {"Origin": ORIGIN, "Access-Control-Request-Method": "TRACE"},
        {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-evil"},
    ],
)
async def test_refused_preflight_is_a_problem(asked: dict[str, str]) -> None:
    """S24: another origin, method or header is refused, and the answer says which."""
    async with client(service(allowed_origins=(ORIGIN,))) as http:
        answer = await http.options("/ok", headers=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"].startswith("Disallowed CORS ")
    assert "Origin" in answer.headers["vary"]


async def test_development_lets_the_usual_front_ends_in() -> None:
    """S24: in development localhost:3000 and :5173 may call."""
    async with client(service(env="development")) as http:
        for origin in ("http://localhost:3000", "http://localhost:5173"):
            answer = await http.get("/ok", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin


async def test_no_origins_no_cors() -> None:
    """S24: with no origin listed there is no CORS at all."""
    async with client(service()) as http:
        headers = (await http.get("/ok", headers={"Origin": "http://localhost:3000"})).headers
    assert not [name for name in headers if name.startswith("access-control") or name == "vary"]


# ---------------------------------------------------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.example.org", 200),
        ("API.example.ORG:8000", 200),
        ("shop.example.com", 200),
        ("a.b.example.com:1", 200),
        ("[::1]:8000", 200),
        ("example.com", 400),
        ("badexample.com", 400),
        ("api.example.org.evil.test", 400),
        ("evil.test", 400),
        ("evil.test@api.example.org", 400),
        ("api.example.org:8000:1", 400),
        ("", 400),
    ],
)
async def test_only_listed_hosts_are_answered(host: str, status: int) -> None:
    """C23: another Host is refused with a problem, and never redirected."""
    app = service(allowed_hosts=("api.example.org", "*.example.com", "[::1]"))
    async with client(app) as http:
        answer = await http.get("/ok", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "CLN102"


@pytest.mark.parametrize("hosts", [[], ["api.example.org", "api.example.org"], ["api.example.org", "evil.test"]])
async def test_a_request_with_no_host_or_two_is_refused(hosts: list[str]) -> None:
    """C23: where hosts are listed, one of them is asked for, once."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    async def nothing(*_: object) -> Any: ...

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode()) for host in hosts]}
    await AllowedHosts(service(), ["api.example.org"])(scope, nothing, keep)
    assert sent[0]["status"] == 400


async def test_health_is_told_by_any_name() -> None:
    """C23, S34: an orchestrator asks each instance by its address, which is not in any list."""
    app = service(allowed_hosts=("api.example.org",))
    app.include_router(health_router())
    async with client(app) as http:
        assert (await http.get("/health/live", headers={"Host": "10.0.0.7:8000"})).status_code == 200
        assert (await http.get("/health/else", headers={"Host": "10.0.0.7:8000"})).status_code == 400


async def test_star_answers_to_any_host() -> None:
    """C23: `*` is every host."""
    async with client(AllowedHosts(service(), ["*"])) as http:
        assert (await http.get("/ok", headers={"Host": "anything.test"})).status_code == 200


async def test_trailing_slash_is_no_redirect() -> None:
    """C23: a trailing slash is 404; nothing is built from the Host header."""
    async with client(service()) as http:
        answer = await http.get("/ok/", headers={"Host": "evil.test"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
