"""The request id: one name for a request, in its answer, in its problem document and in the log."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

from starlette.types import Scope

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch
_current: ContextVar[str | None] = ContextVar("colonnade_request_id", default=None)


def assign_request_id(scope: Scope) -> bytes:
    """Take the client's `X-Request-ID` when it is 1..128 of `[A-Za-z0-9._-]`, else make one, and note it.

    It is noted in `scope["state"]["request_id"]` (so `request.state.request_id`) and for `get_request_id`.

    Returns:
        The id as it goes into the answer's header.
    """
    chosen = _sent_by_client(scope)
    if chosen is None:
        # An id is a name, not a secret: the ordinary generator is eight times as quick as uuid4 and seeds itself
        # anew in a forked worker.
        chosen = b"%032x" % random.getrandbits(128)
    text = chosen.decode("ascii")
    scope.setdefault("state", {})["request_id"] = text
    _current.set(text)
    return chosen


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


def get_request_id() -> str | None:
    """Give the id of the request that is being answered, for a log line; None outside of any."""
    return _current.get()
