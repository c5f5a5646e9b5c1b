"""A TCP proxy before a real server that goes wrong when it is told to: late, cut, reset, in slices, or silent.

It stands between an application and its database or Redis, so that a fault is what the network makes of it and not what a
mock believes. It runs on the event loop of the test; an application in another process may use it as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

from colonnade.testing.server import HOST

Ending = Literal["", "reset", "cut", "reply_lost", "silence"]

CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: close() sends RST instead of FIN."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong on the way.

    Attributes:
        delay: seconds that each piece waits before it is passed on.
        piece: bytes that are passed on at once.
        ending: what becomes of connections. `reset` sends RST, `cut` closes after half a piece, `reply_lost` passes the
            request on and closes without its answer, `silence` keeps them open and passes nothing on any more.
        at: bytes of a request (`b"COMMIT"`) at which `ending` strikes; at once, and at new connections, when empty.
        times: how often it strikes before all is well again; 0 for as long as it is the proxy's fault.
    """

    delay: float = 0.0
    piece: int = CHUNK
    ending: Ending = ""
    at: bytes = b""
    times: int = 0


HEALTHY = Fault()
LATENCY = Fault(delay=0.02)
SLICES = Fault(piece=7)
RESET = Fault(ending="reset")
CUT = Fault(ending="cut")
BLACK_HOLE = Fault(ending="silence")


class FaultProxy:
    """Passes bytes on between whoever connects to `url` and a server, as `fault` says at that moment.

    `async with FaultProxy(server.url) as proxy: Database(proxy.url); proxy.fault = BLACK_HOLE`

    Args:
        target: URL of the server, with its port.

    Attributes:
        fault: assign another one at any time; it acts on open connections too.
        struck: how often the ending of the present fault has struck.
    """

    def __init__(self, target: str) -> None:
        self._parts = urlsplit(target)
        self._links: set[_Link] = set()
        self._fault = HEALTHY
        self.port = 0
        self.struck = 0

    @property
    def url(self) -> str:
        """The server's URL, through the proxy."""
        account, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(netloc=f"{account}{at}{HOST}:{self.port}"))

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._links)

    @property
    def fault(self) -> Fault:
        """What goes wrong now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        self.struck = 0
        if fault.ending == "reset" and not fault.at:
            # An idle connection has no bytes to strike at.
            for link in tuple(self._links):
                link.end(by_reset=True)

    def strike(self) -> None:
        """Count a strike; the last one of those that were ordered makes the proxy healthy again."""
        self.struck += 1
        if self.struck == self._fault.times:
            self._fault = HEALTHY

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for link in tuple(self._links):
            link.end()
        await asyncio.gather(*[link.task for link in self._links])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, writer)
        if self._fault.ending == "reset" and not self._fault.at:
            link.end(by_reset=True)
            return
        self._links.add(link)
        link.task = asyncio.ensure_future(self._serve(link, reader, writer))

    async def _serve(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            link.writers.append(there_writer)
            link.ways = [
                asyncio.ensure_future(link.pass_on(reader, there_writer, is_request=True)),
                asyncio.ensure_future(link.pass_on(there_reader, writer, is_request=False)),
            ]
            await asyncio.wait(link.ways, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # the server is away: whoever connected finds the connection closed
        finally:
            link.end()
            self._links.discard(link)


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultProxy, client: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.writers = [client]
        self.task: asyncio.Future[None]
        self.ways: list[asyncio.Future[None]] = []
        self._deaf = False

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool) -> None:
        """Pass bytes on in one direction until an end closes, or the fault ends it."""
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                fault = self.proxy.fault
                if self._strikes(fault, data, is_request=is_request):
                    self.proxy.strike()
                    await self._strike(fault, data, writer)
                    if fault.ending != "reply_lost":
                        return
                elif not (self._deaf and not is_request):
                    await self._pieces(fault, data, writer)
                else:
                    return

    def _strikes(self, fault: Fault, data: bytes, *, is_request: bool) -> bool:
        if not fault.ending:
            return False
        return (is_request and fault.at in data) if fault.at else True

    async def _strike(self, fault: Fault, data: bytes, writer: asyncio.StreamWriter) -> None:
        if fault.ending == "silence":
            await asyncio.get_running_loop().create_future()  # until the link is ended
        elif fault.ending == "reply_lost":
            self._deaf = True
            writer.write(data)
        elif fault.ending == "cut":
            writer.write(data[: len(data) // 2])
            await writer.drain()
        else:
            self.end(by_reset=True)

    @staticmethod
    async def _pieces(fault: Fault, data: bytes, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(data), fault.piece):
            if fault.delay:
                await asyncio.sleep(fault.delay)
            writer.write(data[start : start + fault.piece])
            await writer.drain()
            if fault.piece < CHUNK:
                await asyncio.sleep(0)  # so that each piece leaves by itself

    def end(self, *, by_reset: bool = False) -> None:
        """Close both ends."""
        for writer in self.writers:
            connection = writer.get_extra_info("socket")
            if by_reset and connection is not None:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        for way in self.ways:
            way.cancel()
