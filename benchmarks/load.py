"""A small load generator for machines without wrk: `python -m benchmarks.load URL SECONDS HEADERS WORKLOAD ROWS SEED`.

Closed loop, like wrk: each connection sends its next request when the last answer is complete.
It is Python and takes its share of the processor, so compare its figures only among themselves.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

from benchmarks.workloads import CONNECTIONS, GET, LIST, Run

_HEAD = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"


def request_maker(workload: str, rows: int, seed: int, headers: str = "") -> Callable[[], bytes]:
    """A function that gives the next request of a workload, as workload.lua does."""
    chance = random.Random(seed)
    head = _HEAD + headers

    def get() -> bytes:
        return f"GET /api/v1/users/{chance.randint(1, rows)}{head}\r\n".encode()

    def page() -> bytes:
        return f"GET /api/v1/users?skip={chance.randrange(1000)}&limit=20&count=none{head}\r\n".encode()

    def patch() -> bytes:
        body = f'{{"full_name":"Renamed {chance.randint(1, 1_000_000)}"}}'
        entity = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        return f"PATCH /api/v1/users/{chance.randint(1, rows)}{head}{entity}".encode()

    return {GET: get, LIST: page}.get(workload, patch)


class Client(asyncio.Protocol):
    """One connection; httptools calls its `on_` methods as an answer comes in."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self.latencies: list[float] = []
        self.refused = 0
        self.broken = 0
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports have the methods but not the class.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before `stop` is broken."""
        self.broken += not self._stopping

    def on_message_complete(self) -> None:
        """Count the answer and send the next request."""
        self.latencies.append(time.perf_counter() - self._sent)
        self.refused += self._parser.get_status_code() >= 400
        self._send()

    def stop(self) -> None:
        """Close the connection, whatever is under way."""
        self._stopping = True
        self._transport.close()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(self._make())


async def load(url: str, seconds: float, make: Callable[[], bytes]) -> Run:
    """Keep `CONNECTIONS` requests in flight for some seconds."""
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    started = time.perf_counter()
    clients = []
    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(lambda: Client(make), host, port)
        clients.append(client)
    await asyncio.sleep(seconds)
    took = time.perf_counter() - started
    for client in clients:
        client.stop()
    times = sorted(latency for client in clients for latency in client.latencies) or [0.0]
    return Run(
        requests=sum(len(client.latencies) for client in clients),
        seconds=took,
        refused=sum(client.refused for client in clients),
        broken=sum(client.broken for client in clients),
        p50_ms=1000 * statistics.median(times),
        p99_ms=1000 * times[int(len(times) * 0.99)],
    )


def main() -> None:
    """Print one JSON line, the same as workload.lua's."""
    url, seconds, headers, workload, rows, seed = sys.argv[1:]
    make = request_maker(workload, int(rows), int(seed), headers)
    print(json.dumps(asdict(uvloop.run(load(url, float(seconds), make)))))


if __name__ == "__main__":
    main()
