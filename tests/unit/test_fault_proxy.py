"""The fault proxy does to a connection what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from colonnade.testing.faults import BLACK_HOLE, CUT, HEALTHY, LATENCY, RESET, SLICES, Fault, FaultProxy

pytestmark = pytest.mark.anyio

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoing() -> AsyncIterator[FaultProxy]:
    """Give a proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while data := await reader.read(1_000):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, FaultProxy(f"echo://me@127.0.0.1:{server.sockets[0].getsockname()[1]}/x") as proxy:
        yield proxy


@asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[Streams]:
    """Connect through the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def say(streams: Streams, text: bytes) -> bytes:
    """Send a text and read its echo: shorter when the connection ends."""
    reader, writer = streams
    writer.write(text)
    try:
        async with asyncio.timeout(30):
            return await reader.readexactly(len(text))
    except asyncio.IncompleteReadError as error:
        return error.partial


@pytest.mark.parametrize("fault", [HEALTHY, LATENCY, SLICES])
async def test_what_is_late_or_sliced_arrives_whole(fault: Fault) -> None:
    """Latency and slices change when the bytes arrive, and none of them."""
    async with echoing() as proxy, connected(proxy) as streams:
        proxy.fault = fault
        assert await say(streams, bytes(range(256))) == bytes(range(256))


async def test_the_url_leads_through_the_proxy() -> None:
    """The URL keeps everything but host and port."""
    async with echoing() as proxy:
        assert proxy.url == f"echo://me@127.0.0.1:{proxy.port}/x"


async def test_a_reset_ends_idle_connections() -> None:
    """A reset is an RST on open connections, whether they are used or not."""
    async with echoing() as proxy, connected(proxy) as streams:
        assert await say(streams, b"hello") == b"hello"
        proxy.fault = RESET
        with pytest.raises(ConnectionResetError):
            await streams[0].read()


async def test_a_reset_ends_new_connections() -> None:
    """A reset is an RST on whoever connects."""
    async with echoing() as proxy:
        proxy.fault = RESET
        async with connected(proxy) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def test_a_cut_ends_a_message_in_the_middle() -> None:
    """A cut connection is closed while a message is on its way."""
    async with echoing() as proxy, connected(proxy) as streams:
        await say(streams, b"hello")
        proxy.fault = CUT
        assert await say(streams, b"123456") == b""


async def test_a_black_hole_says_nothing() -> None:
    """In a black hole new connections are taken, and nothing comes back."""
    async with echoing() as proxy:
        proxy.fault = BLACK_HOLE
        async with connected(proxy) as (reader, writer):
            writer.write(b"hello")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.1)


async def test_an_ending_waits_for_its_word() -> None:
    """A fault with a word strikes at the request that holds it."""
    async with echoing() as proxy, connected(proxy) as streams:
        proxy.fault = Fault(ending="reply_lost", at=b"COMMIT")
        assert await say(streams, b"hello") == b"hello"
        assert await say(streams, b"a COMMIT") == b""
        assert proxy.struck == 1
