"""The request id: one name for a request, in its answer, in its problem document and in the log."""

from __future__ import annotations

import random
import re

from starlette.types import Scope

from colonnade.core.trace import TRACE, Trace, set_trace

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch


def begin_trace(scope: Scope) -> Trace:
    """Name a request, and begin its trace.

    The name is the client's `X-Request-ID` when it is 1..128 of `[A-Za-z0-9._-]`, else a new one. It is noted in
    `scope["state"]["request_id"]` (so `request.state.request_id`) and for `get_request_id`.
    """
    chosen = _sent_by_client(scope)
    # An id is a name, not a secret: the ordinary generator is eight times as quick as uuid4 and seeds itself
    # anew in a forked worker.
    text = f"{random.getrandbits(128):032x}" if chosen is None else chosen.decode("ascii")
    scope.setdefault("state", {})["request_id"] = text
    trace = scope[TRACE] = Trace(text)
    set_trace(trace)
    return trace


def _sent_by_client(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            # Anything else would be written into logs and headers as the client pleases.
            return value if _ACCEPTED(value) else None
    return None


def request_id_of(scope: Scope) -> str | None:
    """Give the id that was assigned to this request; None where `StandardHeaders` does not stand around it."""
    found: str | None = scope.get("state", {}).get("request_id")
    return found
