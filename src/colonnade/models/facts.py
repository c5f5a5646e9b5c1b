"""A mapped class, read once into frozen values: what every later stage knows of a table.

Nothing above this module inspects a mapper. What it can't read into a `Kind` is `Kind.OTHER`, which sends a resource the
ORM and Pydantic way.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import DeclarativeBase, RelationshipProperty
from sqlalchemy.schema import ColumnCollectionConstraint

from colonnade.core.errors import DeclarationError
from colonnade.models.base import SECRET_NAME
from colonnade.models.clock import utc_now
from colonnade.models.mixins import SoftDelete
from colonnade.models.types import ExactDecimal, UTCDateTime

Deleted: TypeAlias = Literal["hide", "include", "only"]
Makers: TypeAlias = "tuple[tuple[str, Callable[[], object]], ...]"
"""Attributes, and what makes their values."""


class Kind(enum.Enum):
    """What a column holds, as far as JSON, filters and bounds care."""

    INTEGER = "integer"
    TEXT = "text"
    BOOLEAN = "boolean"
    FLOAT = "float"
    DECIMAL = "decimal"
    DATETIME = "datetime"
    DATE = "date"
    TIME = "time"
    UUID = "uuid"
    ENUM = "enum"
    JSON = "json"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column.

    Attributes:
        key: the attribute's name, which is also its JSON name.
        column: the table's column.
        kind: what it holds.
        python_type: the type of its values in Python.
        max_length: characters, for text with a bound.
        digits: (precision, scale) of a decimal.
        bounds: least and greatest value of an integer.
        default: makes the value of a new row where the client gives none; None where the database does or none is.
        on_update: makes the value at every change; None for most.
        has_default: a new row needs no value from the client.
        server_owned: no client may set it: generated keys, version, timestamps.
        secret: never shown, filtered or sorted by unless declared by name.
        cleared_with: another attribute: a change of that one makes this one NULL, since it was true of the former value.
    """

    key: str
    column: sa.Column[Any]
    kind: Kind
    python_type: type
    nullable: bool
    primary_key: bool
    max_length: int | None
    digits: tuple[int, int] | None
    bounds: tuple[int, int] | None
    default: Callable[[], object] | None
    on_update: Callable[[], object] | None
    has_default: bool
    server_owned: bool
    secret: bool
    cleared_with: str | None = None


@dataclass(frozen=True, slots=True)
class RelationFacts:
    """One relationship.

    Attributes:
        pairs: its (local, remote) columns.
        order_by: of a to-many one, where it is declared.
        plain: one foreign key says all of it: no second column, no condition, no table in between.
    """

    key: str
    target: type[DeclarativeBase]
    to_many: bool
    pairs: tuple[tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]], ...]
    order_by: tuple[sa.ColumnElement[Any], ...]
    plain: bool

    @property
    def link(self) -> str | None:
        """The attribute of the target's rows that names the row which the relation starts from; None if that names them."""
        if not self.plain:
            return None
        ((local, remote),) = self.pairs
        names = isinstance(remote, sa.Column) and any(key.column is local for key in remote.foreign_keys)
        return read_facts(self.target).key_of(str(remote.key)) if names else None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """All of one mapped class.

    Attributes:
        identity: the primary key's column.
        version: the column that counts changes, where there is one.
        deleted: the column that hides a row, where its class has the mixin `SoftDelete`.
        cleared: attributes that hold of another one's value only, and that one.
    """

    model: type[DeclarativeBase]
    table: sa.Table
    columns: Mapping[str, ColumnFacts]
    relations: Mapping[str, RelationFacts]
    identity: ColumnFacts
    version: ColumnFacts | None
    deleted: ColumnFacts | None = None
    cleared: tuple[tuple[str, str], ...] = ()
    _makers: Mapping[bool, Makers] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        new = tuple((key, column.default) for key, column in self.columns.items() if column.default is not None)
        changed = tuple((key, column.on_update) for key, column in self.columns.items() if column.on_update is not None)
        object.__setattr__(self, "_makers", {True: new, False: changed})

    def visible(self, deleted: Deleted = "hide", table: sa.FromClause | None = None) -> list[sa.ColumnElement[bool]]:
        """Give the condition on which a row is seen, as a list of one, or of none where every row is.

        Args:
            deleted: what to do with deleted rows: hide them, include them, or show them only.
            table: an alias of the table.
        """
        if self.deleted is None or deleted == "include":
            return []
        column: sa.ColumnElement[bool] = (self.table if table is None else table).c[self.deleted.column.key]
        return [column if deleted == "only" else sa.not_(column)]

    def hidden(self, now: datetime) -> dict[str, object]:
        """Give the values of a row that is deleted softly at a time."""
        return self.fill({"is_deleted": True, "deleted_at": now, "alive": None}, new=False, now=now)

    def restored(self) -> dict[str, object]:
        """Give the values of a row that is brought back."""
        return self.fill({"is_deleted": False, "deleted_at": None, "alive": True}, new=False)

    def fill(self, values: Mapping[str, object], *, new: bool, now: datetime | None = None) -> dict[str, object]:
        """Add what the client did not give and Python makes: keys, defaults, times; a change has one time throughout.

        Args:
            values: by attribute key.
            new: for a new row, defaults; otherwise the columns that change with every update.
            now: the time of the change, where it is one of many rows.
        """
        now = now or utc_now()
        made = {
            key: now if factory is utc_now else factory() for key, factory in self._makers[new] if key not in values
        }
        return {**values, **made}

    def key_of(self, column_name: str) -> str | None:
        """Find the attribute of a column by its name in the database."""
        return next((facts.key for facts in self.columns.values() if facts.column.name == column_name), None)


@cache
def read_facts(model: type[DeclarativeBase]) -> TableFacts:
    """Read a mapped class.

    Args:
        model: mapped to one table, with a primary key of one column.

    Raises:
        DeclarationError: it is not, and the text says what is missing.
    """
    mapper = sa.inspect(model, raiseerr=False)
    if mapper is None:
        raise DeclarationError(
            f"{getattr(model, '__name__', model)} is not a mapped class; derive it from colonnade.Base"
        )
    table = mapper.local_table
    if not isinstance(table, sa.Table) or len(mapper.primary_key) != 1 or mapper.inherits is not None:
        raise DeclarationError(f"{model.__name__}: a resource needs one table with a primary key of one column")
    version = mapper.version_id_col
    columns = {
        attribute.key: _read_column(attribute.key, attribute.columns[0], attribute.columns[0] is version)
        for attribute in mapper.column_attrs
        if isinstance(attribute.columns[0], sa.Column)
    }
    relations = {relation.key: _read_relation(relation) for relation in mapper.relationships}
    return TableFacts(
        model=model,
        table=table,
        columns=MappingProxyType(columns),
        relations=MappingProxyType(relations),
        identity=next(facts for facts in columns.values() if facts.primary_key),
        version=next((facts for facts in columns.values() if facts.column is version), None),
        deleted=columns["is_deleted"] if issubclass(model, SoftDelete) else None,
        cleared=tuple((key, found.cleared_with) for key, found in columns.items() if found.cleared_with in columns),
    )


def _read_column(key: str, column: sa.Column[Any], is_version: bool) -> ColumnFacts:
    kind = _kind_of(column.type)
    default = _factory(column.default)
    # A lone integer key is numbered by the database unless it is also a foreign key (one-to-one tables).
    generated = column.primary_key and (default is not None or column is column.table.autoincrement_column)
    return ColumnFacts(
        key=key,
        column=column,
        kind=kind,
        python_type=_python_type(column.type, kind),
        nullable=bool(column.nullable),
        primary_key=column.primary_key,
        max_length=_max_length(column.type, kind),
        digits=_digits(column.type, kind),
        bounds=_bounds(column.type, kind),
        default=default,
        on_update=_factory(column.onupdate),
        has_default=generated or _fills_itself(column),
        server_owned=bool(generated or is_version or column.info.get("server_owned") or column.computed is not None),
        secret=bool(column.info.get("secret", SECRET_NAME.search(key) is not None)),
        cleared_with=column.info.get("cleared_with"),
    )


def _fills_itself(column: sa.Column[Any]) -> bool:
    return bool(column.nullable or column.default is not None or column.server_default is not None)


_KINDS: tuple[tuple[type, Kind], ...] = (
    # Order matters: Enum is a String, Boolean and Float come before their relatives.
    (sa.Enum, Kind.ENUM),
    (sa.Boolean, Kind.BOOLEAN),
    (sa.Integer, Kind.INTEGER),
    (sa.Float, Kind.FLOAT),
    (ExactDecimal, Kind.DECIMAL),
    (sa.Numeric, Kind.DECIMAL),
    (UTCDateTime, Kind.DATETIME),
    (sa.Date, Kind.DATE),
    (sa.Time, Kind.TIME),
    (sa.Uuid, Kind.UUID),
    (sa.JSON, Kind.JSON),
    (sa.String, Kind.TEXT),
)


_OWN_TYPES: Mapping[Kind, type] = {Kind.JSON: object, Kind.DATETIME: datetime, Kind.DECIMAL: Decimal}
"""Where SQLAlchemy's `python_type` says nothing useful."""


def _kind_of(type_: sa.types.TypeEngine[Any]) -> Kind:
    if isinstance(type_, sa.DateTime) and type_.timezone:
        return Kind.DATETIME
    if isinstance(type_, sa.types.TypeDecorator) and not isinstance(type_, UTCDateTime | ExactDecimal):
        return Kind.OTHER
    if isinstance(type_, sa.Numeric) and not isinstance(type_, sa.Float) and not type_.asdecimal:
        return Kind.FLOAT
    return next((kind for class_, kind in _KINDS if isinstance(type_, class_)), Kind.OTHER)


def _python_type(type_: sa.types.TypeEngine[Any], kind: Kind) -> type:
    if kind in _OWN_TYPES:
        return _OWN_TYPES[kind]
    if isinstance(type_, sa.Enum):
        return type_.enum_class or str
    try:
        return type_.python_type
    except NotImplementedError:
        return object


def _max_length(type_: Any, kind: Kind) -> int | None:
    return type_.length if kind is Kind.TEXT else None


def _digits(type_: Any, kind: Kind) -> tuple[int, int] | None:
    if kind is not Kind.DECIMAL or type_.precision is None:
        return None
    return type_.precision, type_.scale or 0


def _bounds(type_: sa.types.TypeEngine[Any], kind: Kind) -> tuple[int, int] | None:
    if kind is not Kind.INTEGER:
        return None
    bits = 63 if isinstance(type_, sa.BigInteger) else 15 if isinstance(type_, sa.SmallInteger) else 31
    return -(1 << bits), (1 << bits) - 1


def _factory(default: Any) -> Callable[[], object] | None:
    """Make one callable of a scalar or callable column default; SQL expressions are left to the database."""
    if default is None or not isinstance(default, sa.ColumnDefault):
        return None
    argument = default.arg
    if getattr(argument, "__wrapped__", None) is utc_now:
        clock: Callable[[], object] = utc_now  # known by itself, so that one change reads it once
        return clock
    if default.is_callable:
        return lambda: argument(None)  # SQLAlchemy wraps it to take a context
    return None if default.is_clause_element else lambda: argument


def _read_relation(relation: RelationshipProperty[Any]) -> RelationFacts:
    return RelationFacts(
        key=relation.key,
        target=relation.mapper.class_,
        to_many=bool(relation.uselist),
        pairs=tuple((local, remote) for local, remote in relation.local_remote_pairs or ()),
        order_by=tuple(relation.order_by or ()),
        plain=_is_plain_join(relation),
    )


def _is_plain_join(relation: RelationshipProperty[Any]) -> bool:
    join = relation.primaryjoin
    sides = (join.left, join.right) if isinstance(join, sa.BinaryExpression) and join.operator is operator.eq else ()
    return relation.secondary is None and bool(sides) and all(isinstance(side, sa.Column) for side in sides)


def constraint_columns(table: sa.Table) -> dict[str, tuple[str, ...]]:
    """Name the columns of each named constraint and index of a table, by the attribute keys of its columns."""
    found: dict[str, tuple[str, ...]] = {
        _name_of(constraint): (attribute_of(column),) for column in table.columns for constraint in column.constraints
    }
    for item in (*table.constraints, *table.indexes):
        if isinstance(item, ColumnCollectionConstraint | sa.Index):
            # What makes an index hold for rows that are not deleted only is nothing that a client knows.
            columns = [column for column in item.columns if not column.info.get("mark")]
            found[_name_of(item)] = tuple(attribute_of(column) for column in columns)
    found.pop("", None)
    return found


def attribute_of(column: sa.Column[Any]) -> str:
    """Name the attribute that a column is mapped to; its own key where `Base` has not noted one."""
    return str(column.info.get("attribute", column.key))


def _name_of(item: Any) -> str:
    # The naming convention is applied when DDL is rendered; formatting by a dialect gives the final name.
    if item.name is None:
        return ""
    formatted = DefaultDialect().identifier_preparer.format_constraint(item)
    return (formatted or "").strip('"')
