"""From a projection to the columns of a statement, and from its rows back to the objects of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from colonnade import DeclarationError, ExactDecimal, IntegerId, SoftDelete, UTCDateTime
from colonnade.core.json import dump_json
from colonnade.models.facts import read_facts
from colonnade.query.selection import MAX_CHILDREN, Selection, Veil, select_for
from colonnade.query.shape import hang, make_shaper, parent_keys
from colonnade.query.wire import WRITTEN_OUT
from colonnade.schemas.projection import Nested, Projection, read_projection


class Shapes(DeclarativeBase):
    """A base of this file alone."""


class Land(IntegerId, Shapes):
    """Where a writer is from."""

    __tablename__ = "lands"
    name: Mapped[str] = mapped_column(sa.String(9))


class Writer(IntegerId, SoftDelete, Shapes):
    """Of many books."""

    __tablename__ = "writers"
    name: Mapped[str] = mapped_column(sa.String(9))
    land_id: Mapped[int | None] = mapped_column(sa.ForeignKey("lands.id"))
    land: Mapped[Land | None] = relationship(lazy="raise")
    tales: Mapped[list[Tale]] = relationship(back_populates="writer", order_by="Tale.name.desc()", lazy="raise")


class Tale(IntegerId, Shapes):
    """By a writer, who may be unknown."""

    __tablename__ = "tales"
    name: Mapped[str] = mapped_column(sa.String(9))
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(10, 2))
    told: Mapped[datetime | None] = mapped_column(UTCDateTime())
    code: Mapped[UUID | None]
    writer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("writers.id"))
    writer: Mapped[Writer | None] = relationship(back_populates="tales", lazy="raise")


class LandShown(BaseModel):
    """A land's name."""

    name: str


class WriterShown(BaseModel):
    """A writer and the land, which is asked for second."""

    name: str
    land: LandShown | None


class TaleShown(BaseModel):
    """A tale with its writer in the middle."""

    name: str
    writer: WriterShown | None
    price: Decimal | None


class TaleBrief(BaseModel):
    """A tale's name."""

    name: str


class WriterWithTales(BaseModel):
    """A writer and the tales."""

    name: str
    tales: list[TaleBrief]


TALE, WRITER = read_facts(Tale), read_facts(Writer)


def selection_of(schema: type[BaseModel], facts: Any = TALE) -> Selection:
    """Select what a schema shows."""
    projection = read_projection(schema, facts)
    assert projection is not None
    return select_for(facts, projection)


def test_columns_come_first_then_what_is_needed() -> None:
    """A plain row is its own object; the key is selected though it is not shown, and nothing is selected twice."""
    selection = select_for(TALE, Projection(("name",), ("name",), ()), TALE.columns["price"], TALE.columns["name"])
    assert [column.name for column in selection.columns] == ["name", "id", "price"]  # type: ignore[attr-defined]
    assert (selection.identity, selection.version) == (1, None)
    assert selection.index_of(TALE.columns["price"]) == 2


def test_relations_to_one_are_joined() -> None:
    """S31: one statement; the objects keep the schema's own sequence of keys."""
    selection = selection_of(TaleShown)
    text = " ".join(str(selection.select().compile(dialect=sqlite.dialect())).split())
    assert text.count("LEFT OUTER JOIN") == 2
    assert "writers AS of_writer ON tales.writer_id = of_writer.id AND of_writer.is_deleted" in text.replace("NOT ", "")
    assert "lands AS of_writer_land" in text
    assert selection.node.keys == ("name", "writer", "price")


def test_rows_become_objects() -> None:
    """S68: exactly the schema's keys, in its sequence, at every depth."""
    selection = selection_of(TaleShown)
    names = [str(column) for column in selection.columns]
    values = {"tales.name": "Emma", "tales.price": 1990, "tales.id": 7, "of_writer.name": "Jane", "of_writer.id": 3}
    full = {**values, "of_writer_land.name": "England", "of_writer_land.id": 1}
    rows = [tuple(one.get(name) for name in names) for one in (full, values, {"tales.name": "Edda", "tales.id": 8})]
    shown = make_shaper(selection, sqlite.dialect())(rows)
    assert dump_json(shown) == (
        b'[{"name":"Emma","writer":{"name":"Jane","land":{"name":"England"}},"price":19.90},'
        b'{"name":"Emma","writer":{"name":"Jane","land":null},"price":19.90},'
        b'{"name":"Edda","writer":null,"price":null}]'
    )


def test_no_rows_are_no_objects() -> None:
    """An empty page is an empty list."""
    assert make_shaper(selection_of(TaleShown), sqlite.dialect())([]) == []


@pytest.mark.parametrize(
    ("dialect", "row"),
    [
        (sqlite.dialect(), ("2026-01-31 12:00:00.000000", "01890a5dac96774bbcceb302099a8057", 5, 7)),
        (
            postgresql.dialect(),
            (datetime(2026, 1, 31, 12, tzinfo=UTC), UUID("01890a5d-ac96-774b-bcce-b302099a8057"), Decimal("0.05"), 7),
        ),
    ],
    ids=["sqlite", "postgresql"],
)
def test_each_dialects_values_are_the_same_on_the_wire(dialect: sa.Dialect, row: tuple[object, ...]) -> None:
    """S39: what a driver gives, a time as text or a UUID as bytes of it, is written as everywhere."""
    shown = Projection(("told", "code", "price"), ("told", "code", "price"), ())
    assert dump_json(make_shaper(select_for(TALE, shown), dialect)([row])) == (
        b'[{"told":"2026-01-31T12:00:00Z","code":"01890a5d-ac96-774b-bcce-b302099a8057","price":0.05}]'
    )


def test_relations_to_many_are_a_statement_for_all_parents() -> None:
    """S31, S33: the first hundred children of each parent, in the relation's order, by one window."""
    selection = selection_of(WriterWithTales, WRITER)
    ((at, branch),) = selection.node.all_branches()
    text = " ".join(str(branch.statement(2).compile(dialect=sqlite.dialect(paramstyle="named"))).split())
    assert at == ()
    assert "row_number() OVER (PARTITION BY tales.writer_id ORDER BY tales.name DESC)" in text
    assert "tales.writer_id IN (:p0, :p1)" in text
    assert str(MAX_CHILDREN) not in text  # bound, so that the text is the same for all
    assert [column.name for column in branch.selection.columns] == ["name", "id", "writer_id"]  # type: ignore[attr-defined]


def test_children_are_hung_below_their_parents() -> None:
    """Each parent gets its own, in the sequence in which they came; one without children gets an empty list."""
    selection = selection_of(WriterWithTales, WRITER)
    ((at, branch),) = selection.node.all_branches()
    rows = [("Jane", 1), ("Emily", 2)]
    shown = make_shaper(selection, sqlite.dialect())(rows)
    assert parent_keys(rows, branch) == [1, 2]
    children = [("Emma", 10, 1), ("Persuasion", 11, 1)]
    hang((shown, rows), at, branch, (make_shaper(branch.selection, sqlite.dialect())(children), children))
    assert shown == [
        {"name": "Jane", "tales": [{"name": "Emma"}, {"name": "Persuasion"}]},
        {"name": "Emily", "tales": []},
    ]


def test_children_are_hung_below_an_inner_object() -> None:
    """A relation's relation: below the object that is there, and below none where there is none."""
    inner = read_projection(WriterWithTales, WRITER)
    assert inner is not None
    nested = Nested("writer", TALE.relations["writer"], WRITER, inner)
    selection = select_for(TALE, Projection(("name", "writer"), ("name",), (nested,)))
    ((at, branch),) = selection.node.all_branches()
    assert at == ("writer",)
    names = [str(column) for column in selection.columns]
    full = {"tales.name": "Emma", "tales.id": 7, "of_writer.name": "Jane", "of_writer.id": 3}
    rows = [tuple(one.get(name) for name in names) for one in (full, full, {"tales.name": "Edda", "tales.id": 8})]
    assert parent_keys(rows, branch) == [3]
    shown = make_shaper(selection, sqlite.dialect())(rows)
    children = [("Emma", 7, 3)]
    hang((shown, rows), at, branch, ([{"name": "Emma"}], children))
    writer = {"name": "Jane", "tales": [{"name": "Emma"}]}
    assert shown == [
        {"name": "Emma", "writer": writer},
        {"name": "Emma", "writer": writer},
        {"name": "Edda", "writer": None},
    ]


def test_what_a_row_hides_is_left_out_of_it() -> None:
    """S78: each bit of the number takes some keys away, in that row only."""
    selection = select_for(TALE, Projection(("name", "price"), ("name", "price"), ()))
    node = selection.node
    veiled = type(node)(node.keys, node.places, veil=Veil(3, (("price",), ("name",))))
    number = sa.literal_column("0").label("veil")
    shaper = make_shaper(Selection((*selection.columns, number), selection.origin, veiled, 2, None), sqlite.dialect())
    rows = [("Emma", 500, 1, bits) for bits in range(4)]
    assert [list(one) for one in shaper(rows)] == [["name", "price"], ["name"], ["price"], []]


def test_a_key_of_two_columns_can_not_be_shown() -> None:
    """It is told when the resource is declared."""
    relation = TALE.relations["writer"]
    double = type(relation)(relation.key, relation.target, False, relation.pairs * 2, (), True)
    nested = Nested("writer", double, WRITER, Projection(("name",), ("name",), ()))
    with pytest.raises(DeclarationError, match="'writer'"):
        select_for(TALE, Projection(("writer",), (), (nested,)))


@pytest.mark.parametrize("convert", WRITTEN_OUT)
def test_what_is_written_out_is_what_the_converter_does(convert: Any) -> None:
    """An expression in the shaper's text gives what calling the converter would."""
    times = "2026-11-20 11:04:43.123456", "2026-11-20 11:04:43.000000", "1999-01-02 00:00:00.000001"
    for value in (0, 1, 2) if convert is bool else times:
        assert eval(WRITTEN_OUT[convert].format("value"), {"value": value}) == convert(value)
