"""Factories with fake data for models and schemas, on polyfactory and Faker (the extra `colonnade[testing]`).

Polyfactory reads types and constraints; what it can't know is meant by a name, so the usual names (`email`, `username`,
`full_name`, `price`, ...) get data that look like it and pass the usual rules.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import annotated_types
from faker import Faker
from polyfactory import Ignore, Use
from polyfactory.factories.base import BaseFactory
from polyfactory.factories.pydantic_factory import ModelFactory
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from pydantic import BaseModel
from sqlalchemy import Column, inspect
from sqlalchemy.types import TypeDecorator, TypeEngine

Made = TypeVar("Made")

A_DAY = datetime(2026, 1, 1, tzinfo=UTC)

TEXTS: Mapping[str, Callable[[Faker], str]] = {
    "email": lambda fake: f"{fake.user_name()}.{fake.random_number(9)}@example.com".lower(),
    "username": lambda fake: f"{fake.user_name()}_{fake.random_number(9)}".replace(".", "_"),
    "password": lambda fake: fake.password(length=16, special_chars=False) + "a1",
    "full_name": lambda fake: fake.name(),
    "name": lambda fake: fake.catch_phrase(),
    "title": lambda fake: fake.sentence(nb_words=5).rstrip("."),
    "slug": lambda fake: f"{fake.slug()}-{fake.random_number(9)}",
    "bio": lambda fake: fake.paragraph(),
    "description": lambda fake: fake.paragraph(),
    "body": lambda fake: fake.text(),
    "content": lambda fake: fake.text(),
    "url": lambda fake: fake.url(),
    "phone": lambda fake: fake.phone_number(),
    "city": lambda fake: fake.city(),
    "country": lambda fake: fake.country(),
}


def factory_for(kind: type[Made], *, seed: int | None = None, **fixed: Any) -> type[BaseFactory[Made]]:
    """Make a factory of a model's instances or of a schema's.

    ::

        products = factory_for(Product)
        session.add_all(products.batch(20, category_id=category.id))
        body = factory_for(ProductCreate).build(price=Decimal("19.90")).model_dump(mode="json")

    A model's instance gets what a row must have: columns that have a default, may be null, or refer to another row are
    left alone unless they are given. Nothing is stored.

    Args:
        kind: a mapped class, or a Pydantic model.
        seed: makes the same data each time.
        fixed: values for every instance, by field name; `build()` and `batch()` take them too.

    Returns:
        A polyfactory factory: `.build(**values)` gives one instance, `.batch(size, **values)` a list.
    """
    fake = Faker()
    settings: dict[str, Any] = {"__faker__": fake} | ({} if seed is None else {"__random_seed__": seed})
    if issubclass(kind, BaseModel):
        return ModelFactory.create_factory(kind, **settings, **(_schema_fields(kind, fake) | fixed))
    settings["__set_relationships__"] = False
    return SQLAlchemyFactory.create_factory(kind, **settings, **(_model_fields(kind, fake) | fixed))


def _schema_fields(schema: type[BaseModel], fake: Faker) -> dict[str, Use[..., Any]]:
    """Give the makers of fields whose meaning is in their name; the rest polyfactory reads from their types."""
    makers = {}
    for name, field in schema.model_fields.items():
        if name in TEXTS:
            lengths = [rule.max_length for rule in field.metadata if isinstance(rule, annotated_types.MaxLen)]
            makers[name] = Use(_text(name, lengths[0] if lengths else None, fake))
    return makers


def _model_fields(model: type[Any], fake: Faker) -> dict[str, Any]:
    makers: dict[str, Any] = {}
    for attribute in inspect(model).column_attrs:
        column = attribute.columns[0]
        if not isinstance(column, Column) or _may_be_left_out(column):
            makers[attribute.key] = Ignore()
        elif maker := _column_maker(attribute.key, column.type, fake):
            makers[attribute.key] = Use(maker)
    return makers


def _may_be_left_out(column: Column[Any]) -> bool:
    has_default = column.default is not None or column.server_default is not None
    return bool(column.nullable or column.primary_key or column.foreign_keys or has_default)


def _column_maker(name: str, column_type: TypeEngine[Any], fake: Faker) -> Callable[[], Any] | None:
    """Give the maker of a required column's values; None leaves them to polyfactory (enums, UUIDs, JSON, ...).

    Numbers are positive, since most columns of prices and quantities say so in a CHECK, which polyfactory can't read.
    """
    plain: TypeEngine[Any] = column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type
    scale = getattr(column_type, "scale", None) or 0
    makers: dict[type, Callable[[], Any]] = {
        str: _text(name, getattr(column_type, "length", None), fake),
        int: lambda: fake.random_int(1, 1_000),
        bool: lambda: fake.random_element((True, False)),
        Decimal: lambda: Decimal(fake.random_int(1, 99_999)).scaleb(-scale),
        datetime: lambda: A_DAY + timedelta(seconds=fake.random_int(0, 10_000_000)),
    }
    return makers.get(plain.python_type)


def _text(name: str, longest: int | None, fake: Faker) -> Callable[[], str]:
    make = TEXTS.get(name, _words)
    return lambda: make(fake)[:longest]


def _words(fake: Faker) -> str:
    return str(fake.sentence(nb_words=3))
