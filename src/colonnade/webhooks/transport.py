"""The way to a subscriber: to public addresses only, so that nobody has this server ask what stands behind its firewall.

The name is resolved once, each of its addresses is judged, and the connection goes to one of those: a name that resolves to
another address a moment later (DNS rebinding) gains nothing (OWASP, Server-Side Request Forgery Prevention Cheat Sheet).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpx

from colonnade.core.errors import ColonnadeError

Address = IPv4Address | IPv6Address

# They carry an IPv4 address that a gateway would go to: 6to4, NAT64.
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


class AddressRefusedError(ColonnadeError):
    """A subscriber's address is not one that this server may ask."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests to public addresses by TLS, and to whatever stands in the networks that are allowed besides.

    Args:
        allowed: networks, e.g. `10.0.0.0/8`; a request to them may go without TLS.
        tls: what certificates are held to.
    """

    def __init__(self, allowed: Sequence[str], tls: ssl.SSLContext) -> None:
        self._allowed = [ip_network(network) for network in allowed]
        self._inner = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to an address of its host that was judged.

        Raises:
            AddressRefusedError: one of the host's addresses is not public, or TLS is missing.
            httpx.TransportError: as usual.
        """
        host = request.url.host
        address = await self._choose(host, request.url.port or 443, request.url.scheme)
        # The Host header is set already; the certificate is held to the name.
        request.url = request.url.copy_with(host=str(address))
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    @staticmethod
    async def _look_up(host: str, port: int) -> list[Any]:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def _choose(self, host: str, port: int, scheme: str) -> Address:
        try:
            found = await self._look_up(host, port)
        except (OSError, UnicodeError):
            raise httpx.ConnectError("the host has no address") from None
        addresses = [ip_address(place[0]) for *_, place in found]
        for address in addresses:
            if any(address in network for network in self._allowed):
                continue
            if not is_public(address):
                raise AddressRefusedError("the host has an address that is not public")
            if scheme != "https":
                raise AddressRefusedError("a public address is asked by https only")
        return addresses[0]


def is_public(address: Address) -> bool:
    """Tell whether an address is on the open internet, and is not another one in disguise."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None or any(address in network for network in _TUNNELS):
            return False
        if address.is_site_local or address.is_reserved:  # `::127.0.0.1` is, too (RFC 4291 §2.5.5.1)
            return False
    return address.is_global and not address.is_multicast
