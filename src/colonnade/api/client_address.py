"""Which address a request comes from, where proxies stand between: only those that are listed are believed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope

MAX_HOPS = 16
"""Proxies that are followed; longer chains are nobody's, and each step costs a microsecond."""

# node of RFC 7239 §6, and the same with a port as some proxies write it: 192.0.2.1, 192.0.2.1:47, [2001:db8::1]:47
_NODE = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\w+)?|([0-9.]+)(?::\w+)?|([0-9A-Fa-f:.]+)")
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*"?([^";\s]*)"?', re.IGNORECASE)


class TrustedProxies:
    """The proxies whose word about the client counts.

    Args:
        addresses: addresses and networks, e.g. `10.0.0.1`, `10.0.0.0/8`; `Settings.trusted_proxies`.
    """

    def __init__(self, addresses: Collection[str] = ()) -> None:
        self._networks = tuple(ip_network(address, strict=False) for address in addresses)
        self._cached = lru_cache(maxsize=1024)(self._contains)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        return bool(self._networks) and self._cached(address)

    def _contains(self, address: str) -> bool:
        found = _parsed(address)
        return found is not None and any(found in network for network in self._networks)


NO_PROXIES = TrustedProxies()


def client_address(scope: Scope, trusted: TrustedProxies = NO_PROXIES) -> str:
    """Tell the address of whoever sent a request.

    What a client writes into `X-Forwarded-For` or `Forwarded` itself is never believed: each proxy appends the address
    that it was called from, so the list is read from its right end, for as long as the addresses are trusted proxies'.
    Where both headers stand and differ, one of them came through a proxy that does not know it, so neither counts.

    Args:
        scope: of the request (ASGI).
        trusted: whose word counts.

    Returns:
        An IP address in its usual form, an IPv4 address also where the socket is IPv6; empty where there is none to be
        had: a Unix socket, or a server that has believed a header which nobody told it to.

    Source: RFC 7239 §5.2 and §8.1.
    """
    client = scope.get("client")
    peer = usual_form(client[0]) if client else ""
    lists = [(name, value) for name, value in scope["headers"] if name in (b"x-forwarded-for", b"forwarded")]
    if not lists:
        return peer
    if peer not in trusted:
        is_told = is_of_the_socket(scope) or "127.0.0.1" in trusted
        return "" if not is_told and _is_hearsay(peer, lists) else peer
    told = [_walk(peer, _nodes(name, lists), trusted) for name in {name for name, _ in lists}]
    return told[0] if len(set(told)) == 1 else peer


PEER = "colonnade.peer"
"""The extension of the scope by which a server of ours says what its socket knows: `{"client": [host, port]}`."""


def is_of_the_socket(scope: Scope) -> bool:
    """Tell whether the client is surely the one that the server's socket has, whatever any header says."""
    peer = scope.get("extensions", {}).get(PEER)
    return peer is not None and peer["client"] == scope["client"]


def _is_hearsay(peer: str, lists: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether the server has taken the address from the header, as uvicorn does for whoever calls from its own host.

    Started as `uvicorn app:app` it does so unasked, and a client on that host could be anybody at each request.
    """
    return any(usual_form(node) == peer for name, _ in lists for node in _nodes(name, lists))


def _walk(peer: str, nodes: Iterator[str], trusted: TrustedProxies) -> str:
    """Follow the proxies back to the first address that is none; what is no address ends the walk where it is known."""
    for _, node in zip(range(MAX_HOPS), nodes, strict=False):
        if peer not in trusted:
            break
        if not (address := usual_form(node)):
            break
        peer = address
    return peer


def _nodes(header: bytes, lists: list[tuple[bytes, bytes]]) -> Iterator[str]:
    """Give a header's nodes from right to left."""
    for name, value in reversed(lists):
        if name == header:
            for element in reversed(value.decode("latin-1").split(",")):
                if header == b"x-forwarded-for":
                    yield element.strip()
                else:
                    found = _FOR.search(element)
                    yield found[1] if found else ""


@lru_cache(maxsize=1024)
def usual_form(node: str) -> str:
    """Write a node's address in its usual form, without port; empty where it is no IP address."""
    found = _NODE.fullmatch(node) if len(node) < 64 else None
    address = None if found is None else _parsed(found[1] or found[2] or found[3])
    return "" if address is None else str(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
