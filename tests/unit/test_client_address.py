"""Which address a request comes from, where proxies stand between."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from colonnade.api.client_address import NO_PROXIES, PEER, TrustedProxies, client_address

PROXY = "10.0.0.1"
TRUSTED = TrustedProxies(["10.0.0.0/8", "2001:db8::1"])


def scope(peer: str | None, *headers: tuple[str, str]) -> Scope:
    """A request that the socket says comes from `peer`."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "client": None if peer is None else (peer, 4711), "headers": raw}


def forwarded_for(peer: str, *values: str) -> str:
    """The address of a request with these `X-Forwarded-For` lines."""
    return client_address(scope(peer, *(("x-forwarded-for", value) for value in values)), TRUSTED)


def test_the_socket_counts_where_no_proxy_is_listed() -> None:
    """S32: with TRUSTED_PROXIES unset nobody's header is believed."""
    assert client_address(scope("192.0.2.7", ("x-forwarded-for", "203.0.113.1"))) == "192.0.2.7"
    assert client_address(scope("192.0.2.7"), TRUSTED) == "192.0.2.7"


@pytest.mark.parametrize("peer", ["192.0.2.7", "11.0.0.1", "2001:db8::2"])
def test_only_a_listed_proxy_is_believed(peer: str) -> None:
    """S32: anybody else's header is passed over."""
    assert forwarded_for(peer, "203.0.113.1") == peer


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.1"], "203.0.113.1"),
        (["198.51.100.9, 203.0.113.1"], "203.0.113.1"),
        (["198.51.100.9", "203.0.113.1"], "203.0.113.1"),
        (["198.51.100.9, 203.0.113.1, 10.2.3.4"], "203.0.113.1"),
        (["203.0.113.1", "10.2.3.4,10.9.9.9"], "203.0.113.1"),
        (["10.2.3.4, 10.9.9.9"], "10.2.3.4"),
        (["203.0.113.1:51000"], "203.0.113.1"),
        (["[2001:DB8::7]:443"], "2001:db8::7"),
        (["2001:db8:0:0::7"], "2001:db8::7"),
        (["::ffff:203.0.113.1"], "203.0.113.1"),
    ],
)
def test_the_list_is_read_from_its_right_end(lines: list[str], address: str) -> None:
    """S32: what stands left of the first address that is no proxy is the client's own invention."""
    assert forwarded_for(PROXY, *lines) == address


@pytest.mark.parametrize(
    "value", ["", "unknown", "evil", "203.0.113.1, unknown", "203.0.113.1, 999.1.1.1", "x" * 9000, "1.2.3.4\xff"]
)
def test_what_is_no_address_ends_the_walk(value: str) -> None:
    """S32: where the nearest proxy names nobody, it is the last one that is known."""
    assert forwarded_for(PROXY, value) == PROXY


def test_a_chain_without_end_is_not_followed() -> None:
    """S32: sixteen proxies are followed; a header of thousands costs no more."""
    assert forwarded_for(PROXY, "203.0.113.1," + "10.0.0.2," * 5000 + "10.0.0.3") == "10.0.0.2"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("for=203.0.113.1", "203.0.113.1"),
        ('For="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
        ("proto=http;by=10.0.0.9;for=203.0.113.1:80", "203.0.113.1"),
        ("for=198.51.100.9, for=203.0.113.1;proto=https, for=10.2.3.4", "203.0.113.1"),
        ("for=_hidden", PROXY),
        ("proto=https", PROXY),
    ],
)
def test_the_standard_header_is_read_too(value: str, address: str) -> None:
    """S32: `Forwarded` (RFC 7239 §5.2) names the client as well."""
    assert client_address(scope(PROXY, ("forwarded", value)), TRUSTED) == address


def test_two_headers_that_differ_are_neither_believed() -> None:
    """S32: a proxy that writes one of them lets a client's own other one through."""
    both = scope(PROXY, ("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=198.51.100.9"))
    assert client_address(both, TRUSTED) == PROXY
    same = scope(PROXY, ("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.1"))
    assert client_address(same, TRUSTED) == "203.0.113.1"


def test_a_header_that_the_server_has_believed_unasked_makes_nobody() -> None:
    """S32: `uvicorn app:app` takes the header of any client on its own host; that client has no address then."""
    spoofed = scope("203.0.113.1", ("x-forwarded-for", "198.51.100.9, 203.0.113.1"))
    assert client_address(spoofed, NO_PROXIES) == ""
    assert client_address(spoofed, TrustedProxies(["127.0.0.1"])) == "203.0.113.1"


def test_a_server_that_tells_its_peer_has_believed_nobody() -> None:
    """S32: under `colonnade serve` a client that writes its own address into a header keeps it."""
    written = scope("203.0.113.1", ("x-forwarded-for", "203.0.113.1"))
    told = {**written, "extensions": {PEER: {"client": written["client"]}}}
    assert client_address(told) == "203.0.113.1"
    believed = {**written, "extensions": {PEER: {"client": ("127.0.0.1", 4711)}}}
    assert client_address(believed) == ""


def test_an_ipv4_client_of_an_ipv6_socket_has_its_usual_address() -> None:
    """S32: one client has one address, whichever socket it came through."""
    assert client_address(scope("::ffff:192.0.2.7")) == "192.0.2.7"


def test_a_unix_socket_has_no_address() -> None:
    """S32: without a client there is none to tell."""
    assert client_address(scope(None, ("x-forwarded-for", "203.0.113.1")), TRUSTED) == ""
