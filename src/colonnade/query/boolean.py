"""Boolean filters: `{"or": [{"role": "admin"}, {"age__gte": 18}]}` becomes a tree of the same conditions as a query's.

The members of an object hold all at once. `and` and `or` take a list of objects, `not` takes one; every other member is a
filter by the name of its parameter. A value is JSON's own: a number, a text, true or false, a list where the operator
takes several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from colonnade.core.errors import InvalidBodyError, MalformedBodyError, MalformedQueryError
from colonnade.core.json import escape_pointer, parse_json
from colonnade.models.facts import Kind
from colonnade.query.filters import MAX_VALUES, Filter, make_condition, read_condition
from colonnade.query.operators import LISTS
from colonnade.query.refusals import refuse_parameter
from colonnade.query.request import Condition, Group
from colonnade.query.values import UnreadableError

MAX_DEPTH = 4
"""Groups that may stand inside each other."""

MAX_CONDITIONS = 50

GROUPS = frozenset({"and", "or", "not"})

_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})


class MisfitError(ValueError):
    """A boolean filter does not fit; the text says why, without a full stop.

    Attributes:
        at: JSON Pointer to the place in the filter.
        code: stable and greppable.
    """

    def __init__(self, at: str, code: str, message: str) -> None:
        super().__init__(message)
        self.at, self.code = at, code


def read_tree(text: str, filters: Mapping[str, Filter]) -> Group:
    """Read a boolean filter.

    Args:
        text: JSON.
        filters: parameter name -> what it filters by.

    Raises:
        MalformedQueryError: CLN100, the text is not JSON.
        InvalidParameterError: CLN200, it is no such tree, has an unknown filter or an unfit value, or is too large.
    """
    try:
        return make_tree(parse_json(text.encode()), filters)
    except MalformedBodyError:
        raise MalformedQueryError("The parameter 'filter' is not JSON.") from None
    except InvalidBodyError:
        refuse_parameter("filter", "text_unstorable", "Holds a character or a number that can't be stored.")
    except MisfitError as misfit:
        refuse_parameter("filter", misfit.code, f"{misfit}{f', at {misfit.at[:200]}' if misfit.at else ''}.")


def make_tree(value: object, filters: Mapping[str, Filter]) -> Group:
    """Make a tree of parsed JSON.

    Args:
        value: an object.
        filters: parameter name -> what it filters by.

    Raises:
        MisfitError: it is no such tree, has an unknown filter or an unfit value, or is too large.
    """
    tree = Group("and", tuple(_parts(value, filters, "", 0)))
    leaves = list(tree.leaves())
    if len(leaves) > MAX_CONDITIONS:
        _refuse("", "filter_too_large", f"At most {MAX_CONDITIONS} conditions")
    if sum(len(leaf.values) for leaf in leaves) > MAX_VALUES:
        _refuse("", "filter_too_large", f"At most {MAX_VALUES} values in all")
    return tree


def _parts(value: object, filters: Mapping[str, Filter], at: str, depth: int) -> Iterator[Condition | Group]:
    """Read an object's members."""
    if not isinstance(value, dict) or not value:
        _refuse(at, "object_expected", "Expected an object with at least one member")
    for name, inner in value.items():
        place = f"{at}/{escape_pointer(name)}"
        if name not in GROUPS:
            yield _condition(name, inner, filters, place)
        elif depth == MAX_DEPTH:
            _refuse(at, "filter_too_deep", f"At most {MAX_DEPTH} groups inside each other")
        elif name == "not":
            yield Group("not", tuple(_parts(inner, filters, place, depth + 1)))
        else:
            yield Group(name, tuple(_alternatives(inner, filters, place, depth + 1)))


def _alternatives(value: object, filters: Mapping[str, Filter], at: str, depth: int) -> Iterator[Group]:
    if not isinstance(value, list) or not value:
        _refuse(at, "list_expected", "Expected a list with at least one object")
    for index, inner in enumerate(value):
        yield Group("and", tuple(_parts(inner, filters, f"{at}/{index}", depth)))


def _condition(name: str, value: object, filters: Mapping[str, Filter], at: str) -> Condition:
    # One text for a hidden and for an unknown name.
    if name not in filters:
        _refuse(at, "filter_unknown", "There is no such filter")
    rule = filters[name]
    try:
        if isinstance(value, list):
            return make_condition(rule, [_text(rule, item) for item in value])
        return read_condition(rule, _text(rule, value)) if rule.operator in LISTS else _single(rule, value)
    except UnreadableError as error:
        _refuse(at, error.code, error.message.rstrip("."))


def _single(rule: Filter, value: object) -> Condition:
    if value is None:
        raise UnreadableError("value_expected", f"Ask for null by '{rule.field}__isnull': true.")
    return make_condition(rule, [_text(rule, value)])


def _text(rule: Filter, value: Any) -> str:
    """Write a JSON value as a query has it; a number is none of the texts, nor a text that looks like one a number's."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) and (rule.operator == "isnull" or rule.column.kind is Kind.BOOLEAN):
        return "true" if value else "false"
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and rule.column.kind in _NUMBERS:
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    raise UnreadableError("value_expected", f"Expected a value of a {rule.column.kind.value} column.")


def _refuse(at: str, code: str, message: str) -> NoReturn:
    raise MisfitError(at, code, message)
