"""The `Link` header of a list (RFC 8288): where its other pages are.

Targets are paths with a query, never whole URLs: what a client says in `Host` does not come back to it. The query is the
client's own with the paging exchanged, so that filters, order and view stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters, digits
from urllib.parse import quote, unquote_to_bytes

from starlette.types import Scope

from colonnade.query.paging import MAX_OFFSET, PAGING
from colonnade.query.request import Paging, ReadRequest
from colonnade.services.page import Page

_PAGING = frozenset(name.encode() for name in PAGING)
_SAFE = "!$&'()*+,-./:;=?@_~%"
"""What may stand in a query as it is (RFC 3986 §3.4); all else, `>` above all, is escaped."""
_PLAIN = (ascii_letters + digits + _SAFE).encode()


def link_header(scope: Scope, request: ReadRequest, page: Page) -> tuple[bytes, bytes]:
    """Link to the first page, and to the previous, next and last one where they are known to be there.

    Without a total, a page that is full has a next one, which may turn out to be empty.
    """
    start = f"<{_quoted_path(scope['path'])}?{_kept(scope['query_string'])}"
    parts = _walk(request, page) if request.walk is not None else _places(request.paging, page)
    return b"link", ", ".join([f'{start}{query}>; rel="{relation}"' for relation, query in parts]).encode()


@lru_cache(maxsize=1024)
def _quoted_path(path: str) -> str:
    return quote(path)


def _kept(query: bytes) -> str:
    """Give the client's own query without its paging, ready for something to stand behind it."""
    if b"%" in query:
        parts = [part for part in query.split(b"&") if unquote_to_bytes(part.partition(b"=")[0]) not in _PAGING]
    else:
        parts = [part for part in query.split(b"&") if part.partition(b"=")[0] not in _PAGING]
    kept = b"&".join([part for part in parts if part])
    if not kept:
        return ""
    # Nearly every query is plain; `quote` takes its time to find that out.
    return (quote(kept, _SAFE) if kept.translate(None, _PLAIN) else kept.decode()) + "&"


def _walk(request: ReadRequest, page: Page) -> Iterator[tuple[str, str]]:
    limit = request.paging.limit
    yield "first", f"cursor=&limit={limit}"
    if page.next_cursor is not None:
        yield "next", f"cursor={page.next_cursor}&limit={limit}"


def _places(paging: Paging, page: Page) -> list[tuple[str, str]]:
    offset, limit, total = paging.offset, paging.limit, page.total
    last = None if total is None else _last(offset, limit, total)
    found = [("first", _place(paging, 0))]
    if offset:
        before = max(offset - limit, 0)
        found.append(("prev", _place(paging, before if last is None else min(before, last))))
    more = page.found == limit if last is None else offset < last
    if more and offset + limit <= MAX_OFFSET:
        found.append(("next", _place(paging, offset + limit)))
    if last is not None and last <= MAX_OFFSET:
        found.append(("last", _place(paging, last)))
    return found


def _last(offset: int, limit: int, total: int) -> int:
    """Find where the last page begins, counted in whole pages from where this one begins."""
    return max(total - 1 - (total - 1 - offset) % limit, 0)


def _place(paging: Paging, offset: int) -> str:
    if paging.mode == "page":
        return f"page={offset // paging.limit + 1}&page_size={paging.limit}"
    return f"skip={offset}&limit={paging.limit}"
