"""What a refused parameter is told: its name, what would do, and no value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from colonnade.core.errors import InvalidParameterError
from colonnade.models.facts import read_facts
from colonnade.query.filters import list_filters
from colonnade.query.parse import ListRules, ViewRules, parse_list, refuse_parameters
from tests.library import Book

RULES = ListRules(
    view=ViewRules(frozenset({"id", "title"})),
    filters=list_filters(read_facts(Book), ["title", "binding"]),
    sorts=frozenset({"title"}),
    default_sort=(),
)


def refused(read: Callable[[], object]) -> InvalidParameterError:
    """Give the refusal that reading ends in."""
    with pytest.raises(InvalidParameterError) as caught:
        read()
    return caught.value


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (b"titel=Emma", "This route has no parameter 'titel'."),
        (b"b=1&a=2", "This route has no parameter 'a', 'b'."),
        (b"a=1&b=1&c=1&d=1&e=1&f=1", "This route has no parameter 'a', 'b', 'c', 'd', 'e' and others."),
    ],
)
def test_an_unknown_parameter_is_named(query: bytes, named: str) -> None:
    """The sentence names what is unknown, up to five of them."""
    assert refused(lambda: parse_list(query, RULES)).detail == named


def test_where_none_is_taken_the_parameter_is_named_too() -> None:
    """A route of one row takes no parameter, and says which one was too much."""
    assert refused(lambda: refuse_parameters(b"dry=1")).detail == "This route has no parameter 'dry'."


def test_an_enums_filter_lists_its_values() -> None:
    """A value that the enum has not is answered by those that it has."""
    fault = refused(lambda: parse_list(b"binding=paper", RULES)).faults[0]
    assert (fault.parameter, fault.code) == ("binding", "enum_expected")
    assert fault.message == "Expected one of: hard cover, soft cover."


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (b"page=0", "out_of_range", "Expected a whole number from 1 to 10001."),
        (b"page=x", "out_of_range", "Expected a whole number from 1 to 10001."),
        (b"page=0&page_size=100", "out_of_range", "Expected a whole number from 1 to 1001."),
        (
            b"page=1002&page_size=100",
            "too_far",
            "Pages of 100 end with page 1001, 100000 rows deep; walk on by 'cursor' instead.",
        ),
    ],
)
def test_a_page_out_of_reach_tells_the_last_one(query: bytes, code: str, message: str) -> None:
    """S7: the bound that is told is the one that holds for this size of page."""
    fault = refused(lambda: parse_list(query, RULES)).faults[0]
    assert (fault.code, fault.message) == (code, message)


def test_the_last_page_in_reach_is_given() -> None:
    """A page that begins exactly at the deepest offset is answered."""
    assert parse_list(b"page=1001&page_size=100", RULES).paging.offset == 100_000
