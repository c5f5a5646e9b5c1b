"""Pydantic schemas for a model that has none: what a client may send, and what it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import time
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from colonnade.models.facts import ColumnFacts, Kind, TableFacts


def _normalised_email(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "Not an e-mail address: {reason}", {"reason": str(error)}) from None
    return found.normalized.casefold()


Email = Annotated[str, AfterValidator(_normalised_email), WithJsonSchema({"type": "string", "format": "email"})]
"""A bare e-mail address (RFC 5321 by `email-validator`), case folded, so that unique means unique without regard to case."""

ExactNumber = Annotated[Decimal, WithJsonSchema({"type": "number"}, mode="serialization")]
"""A decimal that the wire writes as a JSON number, and that OpenAPI says is one."""


TIME_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
"""A time of day without an offset; JSON Schema's format `time` has one (RFC 3339 §5.6, full-time)."""


_TIME_SCHEMA = WithJsonSchema({"type": "string", "pattern": TIME_PATTERN})
_SHOWN_TIME = Annotated[time, _TIME_SCHEMA]


class Body(BaseModel):
    """The base of derived request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Row(BaseModel):
    """The base of derived response schemas: read from attributes as well as from mappings."""

    model_config = ConfigDict(from_attributes=True)


def unset() -> None:
    """Stand in for a value that the client need not send; the column's own default comes later."""


def derive_create(facts: TableFacts) -> type[BaseModel]:
    """Make the body of POST: every column that is not the server's own, required unless the table has a default."""
    return _model(facts, "Create", Body, _writable(facts), _create_field)


def derive_update(facts: TableFacts) -> type[BaseModel]:
    """Make the body of PATCH: the same columns but the key, none of them required, null only where the column takes it."""
    columns = [column for column in _writable(facts) if not column.primary_key]
    return _model(facts, "Update", Body, columns, _update_field)


def derive_response(facts: TableFacts) -> type[BaseModel]:
    """Make the response: every column that is not secret."""
    columns = [column for column in facts.columns.values() if not column.secret]
    return _model(facts, "Response", Row, columns, lambda column: (_optional(column, _read_type(column)), ...))


def take_version(schema: type[BaseModel], facts: TableFacts, name: str) -> type[BaseModel]:
    """Let the body of a change say which version of the row it is of; a table without one has its schema as it is.

    Args:
        schema: of the change.
        facts: the table.
        name: of the schema that is made.
    """
    version = facts.version
    if version is None or version.key in schema.model_fields:
        return schema
    meaning = "The version that the row must still have, or 409; left out, any will do."
    field: Any = (write_type(version), Field(default_factory=unset, description=meaning, examples=[1]))
    made: type[BaseModel] = create_model(
        name, __base__=schema, __module__=schema.__module__, __doc__=schema.__doc__, **{version.key: field}
    )
    return made


def _model(
    facts: TableFacts,
    suffix: str,
    base: type[BaseModel],
    columns: Iterable[ColumnFacts],
    field: Callable[[ColumnFacts], tuple[Any, Any]],
) -> type[BaseModel]:
    name = facts.model.__name__ + suffix
    fields: dict[str, Any] = {column.key: field(column) for column in columns}
    address = account_address(facts)
    if base is Body and address in fields:
        fields[address] = (_optional(facts.columns[address], Email), fields[address][1])
    return create_model(name, __base__=base, __module__=facts.model.__module__, **fields)


def account_address(facts: TableFacts) -> str:
    """Give the field of an account's e-mail address, by which it may sign in; empty where the table has none.

    Args:
        facts: of a model, which has one with `AccountMixin`.
    """
    verified = facts.columns.get("email_verified_at")
    address = None if verified is None else verified.cleared_with
    return address if address in facts.columns and address is not None else ""


def _writable(facts: TableFacts) -> list[ColumnFacts]:
    return [column for column in facts.columns.values() if not column.server_owned]


def _create_field(column: ColumnFacts) -> tuple[Any, Any]:
    if not column.has_default:
        return _optional(column, write_type(column)), ...
    return _optional(column, write_type(column)), Field(default_factory=unset)


def _update_field(column: ColumnFacts) -> tuple[Any, Any]:
    # A factory, since a plain `default=None` would tell OpenAPI that null is allowed.
    return _optional(column, write_type(column)), Field(default_factory=unset)


def _optional(column: ColumnFacts, annotation: Any) -> Any:
    return Optional[annotation] if column.nullable else annotation  # noqa: UP045  # the type is a value here


def _read_type(column: ColumnFacts) -> Any:
    return {Kind.DECIMAL: ExactNumber, Kind.JSON: Any, Kind.TIME: _SHOWN_TIME}.get(column.kind, column.python_type)


def write_type(column: ColumnFacts) -> Any:
    """Give the annotation of a value that a client sends for a column, with the column's bounds."""
    kind = column.column.type
    if column.kind is Kind.INTEGER and column.bounds is not None:
        return Annotated[int, Field(ge=column.bounds[0], le=column.bounds[1])]
    if column.kind is Kind.DECIMAL and column.digits is not None:
        return _decimal_type(*column.digits)
    if isinstance(kind, sa.Enum) and column.python_type is str:
        return Literal[tuple(kind.enums)]
    if column.max_length is not None:
        return Annotated[str, Field(max_length=column.max_length)]
    if column.python_type is float:
        return Annotated[float, Field(allow_inf_nan=False)]
    return _WRITTEN.get(column.kind, column.python_type)


def _decimal_type(precision: int, scale: int) -> Any:
    """Pydantic's own JSON Schema of a decimal tells neither how large it may be nor how many places it has."""
    end = 10 ** (precision - scale)
    number: dict[str, Any] = {"type": "number", "exclusiveMinimum": -end, "exclusiveMaximum": end}
    number["multipleOf"] = float(Decimal(1).scaleb(-scale)) if scale else 1
    whole = f"[0-9]{{1,{precision - scale}}}" if precision > scale else "0"
    places = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    text = {"type": "string", "pattern": f"^-?{whole}{places}$"}
    schema = WithJsonSchema({"anyOf": [number, text]}, mode="validation")
    return Annotated[Decimal, Field(max_digits=precision, decimal_places=scale), schema]


_WRITTEN: Mapping[Kind, Any] = {
    Kind.DATETIME: AwareDatetime,
    Kind.TIME: Annotated[time, _TIME_SCHEMA],
    Kind.JSON: Any,
    Kind.OTHER: Any,
}
