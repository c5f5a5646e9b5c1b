"""From a request to SQL: which rows, in which order, after which place; compiled once, bound many times."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from colonnade.models.facts import read_facts
from colonnade.query.compile import Statement, compile_statement
from colonnade.query.filters import list_filters
from colonnade.query.order import order_by, order_keys
from colonnade.query.parse import ListRules, ViewRules
from colonnade.query.plan import Source, list_values, plan_get, plan_list
from colonnade.query.request import Condition, Group, Paging, ReadRequest, SortKey, Walk
from colonnade.schemas.projection import Projection
from tests.library import Binding, Book

FACTS = read_facts(Book)
SHOWN = Projection(("id", "title"), ("id", "title"), ())
SOURCE = Source(FACTS, SHOWN)
# A table's columns by their bare names, for short.
SQLITE: Any = sqlite.dialect(paramstyle="named")


def request(*conditions: Condition | Group, sort: tuple[SortKey, ...] = (), walk: Walk | None = None) -> ReadRequest:
    """Make a request for a list."""
    paging = Paging("page", 20, 10) if walk is None else Paging("cursor", 0, 10)
    return ReadRequest(conditions, sort, paging, "exact", walk=walk)


def sql(element: Any, dialect: sa.Dialect = SQLITE) -> str:
    """Write SQL on one line, without the table's name."""
    return " ".join(str(element.compile(dialect=dialect)).split()).replace("books.", "").replace("(+)", "")


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ((), [("id", False)]),
        ((SortKey("title"),), [("title", False), ("id", False)]),
        ((SortKey("title", True),), [("title", True), ("id", True)]),
        ((SortKey("title"), SortKey("pages", True)), [("title", False), ("pages", True), ("id", True)]),
        ((SortKey("id", True),), [("id", True)]),
        ((SortKey("id"), SortKey("title")), [("id", False)]),
    ],
)
def test_an_order_ends_with_the_key(sort: tuple[SortKey, ...], keys: list[tuple[str, bool]]) -> None:
    """S81: no two rows are equal; what comes after the key decides nothing and is dropped."""
    assert [(key.column.key, key.descending) for key in order_keys(FACTS, sort)] == keys


@pytest.mark.parametrize(
    ("dialect", "ascending", "descending"),
    [
        (sqlite.dialect(), "isbn ASC NULLS LAST, id ASC", "isbn DESC NULLS FIRST, id DESC"),
        (postgresql.dialect(), "isbn ASC NULLS LAST, id ASC", "isbn DESC NULLS FIRST, id DESC"),
        (mysql.dialect(), "isbn IS NULL ASC, isbn ASC, id ASC", "isbn IS NULL DESC, isbn DESC, id DESC"),
    ],
    ids=["sqlite", "postgresql", "mariadb"],
)
def test_nulls_are_the_greatest_everywhere(dialect: sa.Dialect, ascending: str, descending: str) -> None:
    """S81: as PostgreSQL has it; only columns that take NULL are told so."""
    for down, wanted in ((False, ascending), (True, descending)):
        keys = order_keys(FACTS, (SortKey("isbn", down),))
        assert ", ".join(sql(element, dialect) for element in order_by(keys)) == wanted


# Rows of (key, id) in order, NULL last; a walk from each of them has to meet exactly those behind it.
ROWS = [(1, 1), (1, 2), (2, 3), (5, 4), (5, 5), (None, 6), (None, 7)]


@pytest.mark.parametrize("second", [False, True], ids=["one key", "two keys"])
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("nullable", [False, True], ids=["full", "with nulls"])
def test_what_comes_after_a_place(descending: bool, nullable: bool, second: bool) -> None:
    """S33: from the start and from any row, the rest of the list and nothing else; the database itself decides."""
    field = "price" if nullable else "pages"
    sort = (SortKey(field, descending), *([SortKey("title", not descending)] if second else []))
    rows = [(value, id) for value, id in ROWS if nullable or value is not None]
    engine, table = sa.create_engine("sqlite://"), FACTS.table
    with engine.begin() as connection:
        table.create(connection)
        for value, id in rows:
            connection.execute(sa.insert(table), {"id": id, "title": str(id % 3), field: value})
        whole = connection.execute(sa.select(table).order_by(*order_by(order_keys(FACTS, sort)))).all()
        for place in range(-1, len(whole)):
            row = None if place < 0 else whole[place]._mapping
            keys = order_keys(FACTS, sort)
            after = None if row is None else tuple(row[key.column.key] for key in keys)
            asked = request(sort=sort, walk=Walk("", after=after))
            found = connection.execute(plan_list(SOURCE, asked).statement, list_values(asked))  # type: ignore[arg-type]
            assert [one.id for one in found] == [one.id for one in whole[place + 1 :]]


def test_a_row_is_chosen_by_its_id() -> None:
    """Only what is shown is selected, once."""
    plan = plan_get(SOURCE)
    assert sql(plan.statement) == "SELECT id, title, version FROM books WHERE id = :id"
    assert plan.selection is not None
    assert (plan.selection.identity, plan.selection.version) == (0, 2)


def test_a_list_is_planned_by_shape_alone() -> None:
    """S51: two requests that differ in values have one shape and one text; the number of values is part of both."""
    one = request(Condition("pages", "in", (1, 2)), sort=(SortKey("title"),))
    two = request(Condition("pages", "in", (3, 4)), sort=(SortKey("title"),))
    three = request(Condition("pages", "in", (1, 2, 3)), sort=(SortKey("title"),))
    assert one.shape == two.shape != three.shape
    text = sql(plan_list(SOURCE, one).statement)
    assert text == (
        "SELECT id, title, version FROM books WHERE pages IN (:c0_0, :c0_1) "
        "ORDER BY title ASC, id ASC LIMIT :limit OFFSET :offset"
    )
    assert list_values(one) == {"limit": 10, "offset": 20, "c0_0": 1, "c0_1": 2}


@pytest.mark.parametrize(
    ("conditions", "paging", "end"),
    [
        ((), Paging("page", 0, 20), "ORDER BY id ASC LIMIT 20 OFFSET 0"),
        ((), Paging("page", 20, 20), "ORDER BY id ASC LIMIT %(limit)s::BIGINT OFFSET %(offset)s::BIGINT"),
        ((), Paging("page", 0, 21), "ORDER BY id ASC LIMIT %(limit)s::BIGINT OFFSET %(offset)s::BIGINT"),
        (
            (Condition("pages", "eq", (1,)),),
            Paging("page", 0, 20),
            "ORDER BY id ASC LIMIT %(limit)s::BIGINT OFFSET %(offset)s::BIGINT",
        ),
    ],
)
def test_the_first_page_of_all_rows_says_how_many_in_its_text(
    conditions: tuple[Condition, ...], paging: Paging, end: str
) -> None:
    """S82: PostgreSQL keeps its plan then; what a condition's value decides, and what few ask for, is planned anew."""
    plan = plan_list(SOURCE, ReadRequest(conditions, (), paging, "none"))
    assert sql(plan.statement, postgresql.dialect()).endswith(end)


def test_is_null_is_a_shape_of_its_own() -> None:
    """Its value is no value of the statement's."""
    yes, no = request(Condition("isbn", "isnull", (True,))), request(Condition("isbn", "isnull", (False,)))
    assert yes.shape != no.shape
    assert "isbn IS NULL" in sql(plan_list(SOURCE, yes).statement)
    assert "isbn IS NOT NULL" in sql(plan_list(SOURCE, no).statement)


def test_conditions_in_groups_are_numbered_through() -> None:
    """Plan and values count the leaves alike."""
    tree = Group("or", (Condition("pages", "eq", (1,)), Group("not", (Condition("title", "eq", ("a",)),))))
    asked = request(Condition("featured", "eq", (True,)), tree)
    text = sql(plan_list(SOURCE, asked).statement)
    assert "featured = :c0_0 AND (pages = :c1_0 OR (title = :c2_0) IS NOT" in text
    assert {name: value for name, value in list_values(asked).items() if name[0] == "c"} == {
        "c0_0": True, "c1_0": 1, "c2_0": "a",
    }  # fmt: skip


def test_a_walk_asks_for_one_row_more() -> None:
    """S33: which tells whether there is more; its order's keys are selected though they are not shown."""
    walk = Walk("", after=(7, None, 3))
    asked = request(sort=(SortKey("pages"), SortKey("isbn")), walk=walk)
    assert list_values(asked) == {"limit": 11, "k0": 7, "k2": 3}
    plan = plan_list(SOURCE, asked)
    assert sql(plan.statement).startswith("SELECT id, title, version, pages, isbn FROM books WHERE")
    assert ":offset" not in sql(plan.statement)
    assert [key.column.key for key in plan.keys] == ["pages", "isbn", "id"]


def test_a_schema_that_computes_is_read_as_entities() -> None:
    """No columns are chosen for it; the same rows are."""
    plan = plan_list(Source(FACTS, None), request(Condition("pages", "gt", (1,))))
    assert (plan.statement, plan.selection) == (None, None)
    assert "WHERE pages > :c0_0 ORDER BY id ASC" in sql(plan.entities)


def test_a_statement_is_bound_in_the_drivers_form() -> None:
    """S51: values go to their places through the column's own processor; the plan's own values come along."""
    statement = (
        sa.select(FACTS.table.c.id)
        .where(FACTS.table.c.price == sa.bindparam("price", type_=FACTS.columns["price"].column.type))
        .where(FACTS.table.c.binding == sa.bindparam("binding", type_=FACTS.columns["binding"].column.type))
        .where(FACTS.table.c.pages == 7)
        .where(FACTS.table.c.price != sa.bindparam("price", type_=FACTS.columns["price"].column.type))
    )
    compiled = compile_statement(statement, sqlite.dialect(paramstyle="qmark"))
    assert compiled.sql.count("?") == 4
    bound = compiled.bind({"price": Decimal("19.90"), "binding": Binding.HARD})
    assert isinstance(bound, Statement)
    assert bound.arguments == (1990, "hard cover", 7, 1990)
    assert compiled.bind_from(2, {"price": Decimal(1), "binding": Binding.HARD}) == (7, 100)
    with pytest.raises(KeyError):
        compiled.bind({"price": Decimal(1)})


def test_rules_know_their_names() -> None:
    """Every parameter that a list takes, so that any other is refused."""
    rules = ListRules(ViewRules(frozenset({"id"})), list_filters(FACTS, ["featured"]), frozenset(), ())
    assert rules.names == {
        "page", "page_size", "skip", "offset", "limit", "cursor", "count", "sort", "sort_by", "order", "fields", "include",
        "filter", "featured", "featured__eq", "featured__ne", "featured__in", "featured__nin", "featured__isnull",
    }  # fmt: skip
