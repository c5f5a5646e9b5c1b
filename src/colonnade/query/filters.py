"""Filters: which parameters there are, and one of them read as a condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from colonnade.core.errors import DeclarationError
from colonnade.models.facts import ColumnFacts, TableFacts, read_facts
from colonnade.query.operators import LISTS, OPERATORS_OF
from colonnade.query.request import Condition
from colonnade.query.values import UnreadableError, read_value

MAX_RELATIONS = 2
"""Relations that a filter may go through, one behind the other."""

OWN_NAMES = frozenset(
    {"page", "page_size", "skip", "offset", "limit", "cursor", "count", "sort", "sort_by", "order"}
    | {"fields", "include", "deleted", "filter", "q"}
)
"""Parameters of every list; a field of such a name is filtered by with its operator written out, `count__eq`."""

MAX_VALUES = 500
"""Values of all conditions together: each of them costs a place in a statement's text."""

LIST_SIZES = (1, 2, 5, 10, 20, 50, 100, 200)
"""A comma list is filled up to one of these with its last value, so that a few texts serve every length."""

_PART = re.compile(r",|\\[\\,]|\\|[^,\\]+")


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter that filters.

    Attributes:
        column: whose values are compared.
        operator: how.
        field: the column's attribute, behind the relations that lead to it: `name`, `category.name`.
    """

    column: ColumnFacts
    operator: str
    field: str


def list_filters(facts: TableFacts, fields: Sequence[str]) -> dict[str, Filter]:
    """Give every filter parameter of the fields: `price`, `price__gte`, ... by the kind of each column.

    Raises:
        DeclarationError: a field is no column, or the way to it leads through no plain relation.
    """
    found: dict[str, Filter] = {}
    for name in fields:
        column = find_column(facts, name)
        operators = OPERATORS_OF[column.kind]
        found |= {f"{name}__{operator}": Filter(column, operator, name) for operator in operators}
        if "eq" in operators and name not in OWN_NAMES:
            found[name] = Filter(column, "eq", name)
    return found


def find_column(facts: TableFacts, field: str) -> ColumnFacts:
    """Find a column by its attribute, behind the relations that lead to it.

    Raises:
        DeclarationError: there is none.
    """
    *relations, name = field.split(".")
    if len(relations) > MAX_RELATIONS:
        raise DeclarationError(f"'{field}' goes through more than {MAX_RELATIONS} relations")
    for key in relations:
        relation = facts.relations.get(key)
        if relation is None or not relation.plain:
            raise DeclarationError(f"'{field}': {facts.model.__name__} has no relation '{key}' by one foreign key")
        facts = read_facts(relation.target)
    if name not in facts.columns:
        raise DeclarationError(f"{facts.model.__name__} has no column named: {name}")
    return facts.columns[name]


def read_condition(rule: Filter, text: str) -> Condition:
    """Read a parameter's value as a condition.

    Raises:
        UnreadableError: it does not fit.
    """
    return make_condition(rule, list(_split(text)) if rule.operator in LISTS else [text])


def make_condition(rule: Filter, texts: Sequence[str]) -> Condition:
    """Make a condition of its values' texts.

    Raises:
        UnreadableError: one of them does not fit, or they are too few or too many.
    """
    least, most = LISTS.get(rule.operator, (1, 1))
    if not least <= len(texts) <= most:
        wanted = f"{least} values" if least == most else f"{least} to {most} values"
        raise UnreadableError("list_length", f"Expected {wanted}, separated by commas.")
    if rule.operator == "isnull":
        return Condition(rule.field, "isnull", (_truth(texts[0]),))
    values = [read_value(rule.column, text) for text in texts]
    if rule.operator in {"in", "nin"}:
        size = next(size for size in LIST_SIZES if size >= len(values))
        values += values[-1:] * (size - len(values))
    return Condition(rule.field, rule.operator, tuple(values))


def _truth(text: str) -> bool:
    if text not in {"true", "false", "1", "0"}:
        raise UnreadableError("boolean_expected", "Expected true or false.")
    return text in {"true", "1"}


def _split(text: str) -> Iterator[str]:
    # Each part is a comma that separates, an escaped character, or any other.
    item = ""
    for part in _PART.findall(text):
        if part == ",":
            yield item
            item = ""
        else:
            item += part[-1] if part in {"\\\\", "\\,"} else part
    yield item
