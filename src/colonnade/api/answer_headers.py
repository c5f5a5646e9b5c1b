"""What OpenAPI says of the headers of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colonnade.api.history import ListHistory
from colonnade.api.operations import CreateRow, GetRow, ListRows, Operation, ReplaceRow, RestoreRow, UpdateRow

Headers = dict[str, dict[str, Any]]


def _header(description: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}, **more}


_ETAG: Headers = {"ETag": _header("The row's entity tag, for `If-Match` and `If-None-Match`", required=True)}
_LINK: Headers = {"Link": _header("The list's first, previous, next and last page (RFC 8288)", required=True)}
_LOCATION: Headers = {"Location": _header("Where the new row stands", required=True)}
_RETRY: Headers = {"Retry-After": _header("Seconds to wait before the request is sent again", "integer")}
_LIMIT: Headers = {
    "RateLimit": _header("What is left of the limit, and for how long"),
    "RateLimit-Policy": _header("The limit"),
}
_REQUEST_ID: Headers = {
    "X-Request-ID": _header("The request's id in the server's log: the one that was sent, or a new one", required=True)
}

OF_STATUS: Mapping[int, Headers] = {
    304: _ETAG,
    401: {"WWW-Authenticate": _header("How to sign in")},
    429: {**_RETRY, **_LIMIT},
    503: _RETRY,
}
"""Headers of refusals, and of 304."""


ALL_HEADERS: Headers = _LINK | _LOCATION | _REQUEST_ID | OF_STATUS[304] | OF_STATUS[401] | OF_STATUS[429]
"""Each header that answers have, once."""


def headers_everywhere(*, limited: bool) -> Headers:
    """Describe the headers that the middleware of an application puts on every answer.

    Args:
        limited: it counts requests.
    """
    return _REQUEST_ID | (_LIMIT if limited else {})


def success_headers(operation: Operation) -> Headers:
    """Describe the headers of the answer that says that it was done."""
    if isinstance(operation, ListRows | ListHistory):
        return _LINK
    if isinstance(operation, CreateRow):
        return _LOCATION | _ETAG
    return _ETAG if isinstance(operation, GetRow | UpdateRow | ReplaceRow | RestoreRow) else {}
