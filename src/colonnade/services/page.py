"""One part of a list as the wire shows it, and what its links are made of."""

from __future__ import annotations

from typing import NamedTuple

from colonnade.core.json import dump_json
from colonnade.query.request import ReadRequest
from colonnade.query.shape import Shown


class Page(NamedTuple):
    """A part of a list.

    Attributes:
        body: its JSON.
        found: how many rows are in it.
        total: how many there are in all; None where that was not asked for.
        next_cursor: leads on; None at the end of a walk, and where none is under way.
    """

    body: bytes
    found: int
    total: int | None = None
    next_cursor: str | None = None


def make_page(
    plural: str, request: ReadRequest, shown: list[Shown], total: int | None = None, next_cursor: str | None = None
) -> Page:
    """Put the rows under their plural name, and the paging beside them in the mode's own words."""
    paging = request.paging
    body: dict[str, object] = {plural: shown}
    if total is not None:
        body["total"] = total
    if paging.mode == "page":
        body |= {"page": paging.offset // paging.limit + 1, "page_size": paging.limit}
    elif paging.mode == "offset":
        body |= {"skip": paging.offset, "limit": paging.limit}
    else:
        body |= {"has_more": next_cursor is not None, "next_cursor": next_cursor}
    return Page(dump_json(body), len(shown), total, next_cursor)
