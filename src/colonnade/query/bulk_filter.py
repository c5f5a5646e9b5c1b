"""The filter of a bulk change: the conditions of a list's query string, written as a JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from colonnade.core.errors import Fault, InvalidBodyError, InvalidParameterError, MalformedQueryError
from colonnade.core.json import dump_json, escape_pointer
from colonnade.policy.access import Permit
from colonnade.query.boolean import GROUPS, MisfitError, make_tree
from colonnade.query.parse import ListRules, parse_list
from colonnade.query.request import Group, Paging, ReadRequest

AT = "/filter"


def read_filter(
    filter: Mapping[str, Any],  # noqa: A002
    rules: ListRules,
    most: int,
    permit: Permit | None = None,
) -> ReadRequest:
    """Read `{"role": "admin", "price__gte": 5, "or": [{"id__in": [1, 2]}, ...]}` by the rules of the resource's list.

    Args:
        filter: parameter name -> value; a list for the operators that take a comma list. `and`, `or` and `not` as in a list.
        rules: of the list.
        most: rows to ask for.
        permit: of the change: only rows in its reach are found.

    Raises:
        InvalidBodyError: CLN201, a name that is no filter, or a value that does not fit; pointers begin with `/filter`.
    """
    tree = {name: filter[name] for name in GROUPS if name in filter}
    if tree:
        plain = {name: value for name, value in filter.items() if name not in GROUPS}
        request = read_filter(plain, rules, most, permit)
        return replace(request, conditions=(*request.conditions, _tree(tree, rules)))
    if unknown := sorted(filter.keys() - rules.filters.keys()):
        faults = [
            Fault("filter_unknown", "There is no such filter.", pointer=f"{AT}/{escape_pointer(name)}")
            for name in unknown
        ]
        raise InvalidBodyError("The filter has a name that this resource does not know.", faults=faults)
    pairs = [(name, _text(name, value)) for name, value in filter.items()]
    try:
        request = parse_list(urlencode(pairs).encode(), rules, permit)
    except InvalidParameterError as error:
        faults = [Fault(fault.code, fault.message, pointer=f"{AT}/{fault.parameter}") for fault in error.faults]
        raise InvalidBodyError("The filter does not fit.", faults=faults) from None
    except MalformedQueryError as error:
        raise InvalidBodyError(error.detail, faults=[Fault("filter_malformed", error.detail, pointer=AT)]) from None
    return replace(request, paging=Paging("offset", 0, most), count="none")


def _tree(tree: Mapping[str, Any], rules: ListRules) -> Group:
    try:
        return make_tree(tree, rules.filters)
    except MisfitError as misfit:
        fault = Fault(misfit.code, f"{misfit}.", pointer=AT + misfit.at)
        raise InvalidBodyError("The filter does not fit.", faults=[fault]) from None


def _text(name: str, value: Any) -> str:
    """Write a JSON value as the query string has it; a comma inside one of several values is escaped."""
    if isinstance(value, list):
        return ",".join(_text(name, item).replace("\\", "\\\\").replace(",", "\\,") for item in value)
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict):
        fault = Fault(
            "filter_value", "A text, a number, true, false or a list.", pointer=f"{AT}/{escape_pointer(name)}"
        )
        raise InvalidBodyError("The filter does not fit; ask for null by 'name__isnull': true.", faults=[fault])
    return dump_json(value).decode()
