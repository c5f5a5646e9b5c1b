"""A query string becomes a request, or a refusal: splitting, paging, sorting, views, filters, ids."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from colonnade.core.errors import InvalidParameterError, MalformedQueryError
from colonnade.models.facts import read_facts
from colonnade.query.filters import list_filters
from colonnade.query.parse import ListRules, ViewRules, parse_list, parse_query, parse_view, read_id, read_switch
from colonnade.query.request import WHOLE, Condition, Group, Paging, SortKey, View, Walk
from tests.library import Binding, Book, Publisher

BOOK = read_facts(Book)
VIEW = ViewRules(frozenset({"id", "title", "pages"}), frozenset({"publisher", "publisher.books"}), deleted=True)
RULES = ListRules(
    view=VIEW,
    filters=list_filters(BOOK, ["title", "pages", "price", "binding"]),
    sorts=frozenset({"title", "pages", "created_at"}),
    default_sort=(SortKey("title"),),
    search=("title",),
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a", {"a": ""}),
        (b"a=", {"a": ""}),
        (b"=a", {"": "a"}),
        (b"&&a=1&", {"a": "1"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a+b=c%2Bd+e", {"a b": "c+d e"}),
        (b"%C3%A4=%F0%9D%84%9E", {"ä": "𝄞"}),
        (b"a=%zz%4", {"a": "%zz%4"}),
    ],
)
def test_a_query_is_split(query: bytes, found: dict[str, str]) -> None:
    """As the URL standard splits `application/x-www-form-urlencoded`."""
    assert parse_query(query) == found


@pytest.mark.parametrize(
    "query", [b"a=%FF", b"%FF=a", b"a=\xff", b"a=%ED%A0%80", b"&".join(b"a%d=" % n for n in range(101))]
)
def test_what_can_not_be_read_is_malformed(query: bytes) -> None:
    """S17: bad UTF-8, a lone surrogate, and more than a hundred parameters are 400."""
    with pytest.raises(MalformedQueryError):
        parse_query(query)


def test_a_parameter_stands_once() -> None:
    """S17: neither the first nor the last one wins, however it is written."""
    for query in (b"a=1&a=1", b"a=1&%61=2"):
        with pytest.raises(InvalidParameterError) as refused:
            parse_query(query)
        assert [(fault.parameter, fault.code) for fault in refused.value.faults] == [("a", "repeated")]


@pytest.mark.parametrize(
    ("query", "paging"),
    [
        (b"", Paging("page", 0, 10)),
        (b"page=3", Paging("page", 20, 10)),
        (b"page=3&page_size=7", Paging("page", 14, 7)),
        (b"page_size=100", Paging("page", 0, 100)),
        (b"skip=0", Paging("offset", 0, 100)),
        (b"offset=5&limit=1", Paging("offset", 5, 1)),
        (b"skip=100000", Paging("offset", 100_000, 100)),
        (b"limit=100", Paging("offset", 0, 100)),
        (b"cursor=", Paging("cursor", 0, 100)),
        (b"cursor=abc&limit=5", Paging("cursor", 0, 5)),
    ],
)
def test_paging_has_three_ways(query: bytes, paging: Paging) -> None:
    """S7, S79: each with its defaults and up to its bounds."""
    assert parse_list(query, RULES).paging == paging


@pytest.mark.parametrize(
    "query",
    [
        b"page=1&skip=0",
        b"page_size=5&limit=5",
        b"skip=1&offset=1",
        b"cursor=&page=1",
        b"cursor=&skip=1",
        b"sort=title&sort_by=title",
    ],
)
def test_words_of_two_ways_are_malformed(query: bytes) -> None:
    """S79: a mixture has no meaning, and none is guessed."""
    with pytest.raises(MalformedQueryError):
        parse_list(query, RULES)


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        (b"page=0", "page", "out_of_range"),
        (b"page=1.0", "page", "out_of_range"),
        (b"page=10002", "page", "too_far"),
        (b"page=%s" % (b"9" * 19), "page", "too_far"),
        (b"page_size=101", "page_size", "out_of_range"),
        (b"page_size=0", "page_size", "out_of_range"),
        (b"skip=-1", "skip", "out_of_range"),
        (b"skip=100001", "skip", "out_of_range"),
        (b"limit=0", "limit", "out_of_range"),
        (b"limit=%s" % (b"9" * 30), "limit", "out_of_range"),
        (b"count=all", "count", "not_a_choice"),
        (b"order=up", "order", "not_a_choice"),
        (b"sort=price", "sort", "sort_unknown"),
        (b"sort=", "sort", "sort_unknown"),
        (b"sort=title,-title", "sort", "sort_repeated"),
        (b"sort_by=nothing", "sort_by", "sort_unknown"),
        (b"fields=isbn", "fields", "fields_unknown"),
        (b"fields=", "fields", "fields_unknown"),
        (b"fields=id,id", "fields", "fields_repeated"),
        (b"include=author", "include", "include_unknown"),
        (b"deleted=hide", "deleted", "not_a_choice"),
        (b"pages__in=", "pages__in", "integer_expected"),
        (b"pages__between=1", "pages__between", "list_length"),
        (b"pages__in=%s" % b",".join([b"1"] * 201), "pages__in", "list_length"),
        (b"pages__isnull=perhaps", "pages__isnull", "boolean_expected"),
        (b"binding__gt=soft+cover", "binding__gt", "unknown_parameter"),
        (b"nothing=1", "nothing", "unknown_parameter"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(query: bytes, parameter: str, code: str) -> None:
    """S17: 422, with the parameter and a code of its own."""
    with pytest.raises(InvalidParameterError) as refused:
        parse_list(query, RULES)
    assert [(fault.parameter, fault.code) for fault in refused.value.faults] == [(parameter, code)]


@pytest.mark.parametrize(
    ("query", "sort"),
    [
        (b"", (SortKey("title"),)),
        (b"sort=-pages,title", (SortKey("pages", True), SortKey("title"))),
        (b"sort_by=pages", (SortKey("pages", True),)),
        (b"sort_by=pages&order=asc", (SortKey("pages"),)),
        (b"order=asc", (SortKey("created_at"),)),
    ],
)
def test_sorting_has_two_ways(query: bytes, sort: tuple[SortKey, ...]) -> None:
    """S81: `sort=-pages`, or `sort_by` and `order` with guide C's defaults."""
    assert parse_list(query, RULES).sort == sort


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        (b"title=Emma", Condition("title", "eq", ("Emma",))),
        (b"title__eq=", Condition("title", "eq", ("",))),
        (b"price__gte=0", Condition("price", "gte", (Decimal(0),))),
        (b"pages__in=1,2", Condition("pages", "in", (1, 2))),
        (b"pages__nin=1,2,3", Condition("pages", "nin", (1, 2, 3, 3, 3))),
        (b"title__in=a%5C,b,c", Condition("title", "in", ("a,b", "c"))),
        (b"title__in=a%5C%5C,b", Condition("title", "in", ("a\\", "b"))),
        (b"title__in=,", Condition("title", "in", ("", ""))),
        (b"pages__between=5,1", Condition("pages", "between", (5, 1))),
        (b"pages__isnull=true", Condition("pages", "isnull", (True,))),
        (b"binding=hard+cover", Condition("binding", "eq", (Binding.HARD,))),
    ],
)
def test_a_filter_is_read(query: bytes, condition: Condition) -> None:
    """S51, S80: falsy values count, and a backslash keeps a comma."""
    assert parse_list(query, RULES).conditions == (condition,)


def test_filters_join_and_trees_nest() -> None:
    """S80: all at once; `filter` adds a tree of them."""
    found = parse_list(b'pages=1&title=a&filter={"not":{"pages":2}}', RULES).conditions
    assert found == (
        Condition("pages", "eq", (1,)),
        Condition("title", "eq", ("a",)),
        Group("and", (Group("not", (Condition("pages", "eq", (2,)),)),)),
    )


@pytest.mark.parametrize(
    ("query", "count"),
    [(b"", "exact"), (b"count=none", "none"), (b"cursor=", "none"), (b"cursor=&count=estimated", "estimated")],
)
def test_a_total_is_counted_or_not(query: bytes, count: str) -> None:
    """S23: by default it is, but for a walk."""
    assert parse_list(query, RULES).count == count


@pytest.mark.parametrize(
    ("query", "view"),
    [
        (b"", WHOLE),
        (b"fields=title,id", View(fields=("id", "title"))),
        (b"include=publisher", View(include=("publisher",))),
        (b"include=publisher.books", View(include=("publisher", "publisher.books"))),
        (b"include=publisher&fields=publisher", View(fields=("publisher",), include=("publisher",))),
        (b"deleted=only", View(deleted="only")),
    ],
)
def test_a_view_is_read(query: bytes, view: View) -> None:
    """S53: alike for one row and for a list; a nested relation brings the one it hangs on."""
    assert parse_view(query, VIEW) == view
    assert parse_list(query, RULES).view == view


def test_a_walk_begins_with_an_empty_cursor() -> None:
    """The cursor is kept as it came, for the application's seal to open."""
    assert parse_list(b"cursor=", RULES).walk == Walk("")
    assert parse_list(b"cursor=abc", RULES).walk == Walk("abc")
    assert parse_list(b"", RULES).walk is None


def test_what_was_not_declared_is_no_parameter() -> None:
    """Without filters there is no `filter`, without a search no `q`, without soft deletion no `deleted`."""
    bare = replace(RULES, filters={}, search=(), view=replace(VIEW, deleted=False))
    for name in (b"filter", b"q", b"deleted", b"title"):
        with pytest.raises(InvalidParameterError) as refused:
            parse_list(name + b"=a", bare)
        assert refused.value.faults[0].code == "unknown_parameter"


@pytest.mark.parametrize(("text", "id"), [("1", 1), ("999999999", 999_999_999), ("9223372036854775807", (1 << 63) - 1)])
def test_an_id_is_a_whole_number_from_1(text: str, id: int) -> None:
    """S8: up to what the column holds."""
    assert read_id(BOOK.identity, text) == id


@pytest.mark.parametrize(
    "text", ["0", "-1", "+1", "01", "1.0", "1e3", " 1", "", "x", "٣", "9223372036854775808", "9" * 400, "²"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """S8: 422, and no other spelling of one row's address."""
    with pytest.raises(InvalidParameterError) as refused:
        read_id(BOOK.identity, text)
    assert refused.value.faults[0].parameter == "id"


def test_an_id_may_be_a_uuid() -> None:
    """By the column's kind."""
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert read_id(read_facts(Publisher).identity, text) == UUID(text)


@pytest.mark.parametrize(
    ("query", "allowed", "found"),
    [(b"", True, False), (b"", False, False), (b"permanent=true", True, True), (b"permanent=false", True, False)],
)
def test_a_switch_is_true_or_false(query: bytes, allowed: bool, found: bool) -> None:
    """The only parameter of its route."""
    assert read_switch(query, "permanent", allowed=allowed) is found


@pytest.mark.parametrize(
    ("query", "allowed", "code"),
    [
        (b"permanent=1", True, "not_a_choice"),
        (b"permanent=true", False, "unknown_parameter"),
        (b"other=true", True, "unknown_parameter"),
    ],
)
def test_another_switch_is_refused(query: bytes, allowed: bool, code: str) -> None:
    """Nothing is deleted for good by a guess."""
    with pytest.raises(InvalidParameterError) as refused:
        read_switch(query, "permanent", allowed=allowed)
    assert refused.value.faults[0].code == code


def test_lists_have_few_lengths() -> None:
    """Two hundred lengths are eight texts of SQL: a list is filled up with its last value, which changes no meaning."""
    lists = [b",".join([b"1"] * length) for length in range(1, 201)]
    shapes = {parse_list(b"pages__in=" + values, RULES).shape for values in lists}
    assert len(shapes) == 8


@pytest.mark.parametrize(
    "query",
    [
        b"pages__in=%s&price__in=%s&title__in=%s",
        b'filter={"or":[{"pages__in":[%s]},{"price__in":[%s]},{"title__nin":["%s"]}]}',
    ],
)
def test_all_values_together_are_bounded(query: bytes) -> None:
    """Each costs a place in a statement: a client that stays within the rate limit must not keep the process busy."""
    few, many = b",".join([b"1"] * 100), b",".join([b"1"] * 200)
    parse_list(query % (many, many, few.replace(b",", b'","') if b"filter" in query else few), RULES)
    with pytest.raises((MalformedQueryError, InvalidParameterError)):
        parse_list(query % (many, many, many.replace(b",", b'","') if b"filter" in query else many), RULES)
