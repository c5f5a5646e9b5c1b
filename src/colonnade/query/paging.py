"""Which part of a list is asked for: a page, rows after an offset, or the next steps of a walk."""

from __future__ import annotations

from collections.abc import Mapping

from colonnade.core.errors import MalformedQueryError
from colonnade.query.refusals import refuse_parameter
from colonnade.query.request import Paging, Walk

MAX_PAGE = 100
MAX_OFFSET = 100_000

PAGE, OFFSET = frozenset({"page", "page_size"}), frozenset({"skip", "offset", "limit"})
PAGING = PAGE | OFFSET | {"cursor"}
"""The parameters that choose a part of a list."""


def read_paging(found: Mapping[str, str], page_size: int) -> tuple[Paging, Walk | None]:
    """Read which part of a list is asked for; its first page when nothing says.

    Args:
        found: the query's parameters.
        page_size: rows of a page when none is asked for.

    Raises:
        MalformedQueryError: CLN100, two paging modes at once.
        InvalidParameterError: CLN200, a number out of its range.
    """
    paged, skipped = not PAGE.isdisjoint(found), OFFSET.intersection(found)
    if "cursor" in found:
        if paged or skipped - {"limit"}:
            raise MalformedQueryError("'cursor' goes with 'limit' only; it keeps its own place.")
        return Paging("cursor", 0, _number(found, "limit", 100, 1, MAX_PAGE)), Walk(found["cursor"])
    if paged and skipped:
        raise MalformedQueryError("Give 'page' and 'page_size', or 'skip' and 'limit', not both.")
    return (_offset(found, skipped) if skipped else _page(found, page_size)), None


def _page(found: Mapping[str, str], page_size: int) -> Paging:
    size = _number(found, "page_size", page_size, 1, MAX_PAGE)
    last = MAX_OFFSET // size + 1
    if "page" in found and _is_whole(found["page"]) and int(found["page"]) > last:
        reach = f"Pages of {size} end with page {last}, {MAX_OFFSET} rows deep"
        refuse_parameter("page", "too_far", f"{reach}; walk on by 'cursor' instead.")
    return Paging("page", (_number(found, "page", 1, 1, last) - 1) * size, size)


def _offset(found: Mapping[str, str], skipped: frozenset[str]) -> Paging:
    if "skip" in skipped and "offset" in skipped:
        raise MalformedQueryError("'offset' is another name of 'skip'; give one of them.")
    start = "offset" if "offset" in skipped else "skip"
    return Paging("offset", _number(found, start, 0, 0, MAX_OFFSET), _number(found, "limit", 100, 1, MAX_PAGE))


def _number(found: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = found.get(name)
    if text is None:
        return default
    if not _is_whole(text) or not least <= (number := int(text)) <= most:
        refuse_parameter(name, "out_of_range", f"Expected a whole number from {least} to {most}.")
    return number


def _is_whole(text: str) -> bool:
    """Tell whether a text is digits only, of ASCII, and no more of them than a column has."""
    return len(text) < 20 and text.isascii() and text.isdigit()
