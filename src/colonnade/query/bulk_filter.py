"""The filter of a bulk change: the conditions of a list's boolean filter, as a JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colonnade.core.errors import Fault, InvalidBodyError
from colonnade.policy.access import Permit
from colonnade.query.boolean import MisfitError, make_tree
from colonnade.query.parse import ListRules
from colonnade.query.request import WHOLE, Paging, ReadRequest, View

AT = "/filter"


def read_filter(
    filter: Mapping[str, Any],  # noqa: A002
    rules: ListRules,
    most: int,
    permit: Permit | None = None,
) -> ReadRequest:
    """Read `{"role": "admin", "price__gte": 5, "or": [{"id__in": [1, 2]}, ...]}` as a list reads its `filter`.

    An empty object is refused: a filter that was left empty by mistake must not mean every row. Who means all of them gives
    a condition that holds for all, `{"id__gte": 1}`.

    Args:
        filter: parameter name -> value; a list for the operators that take several.
        rules: of the list.
        most: rows to ask for.
        permit: of the change: only rows in its reach are found.

    Raises:
        InvalidBodyError: CLN201, a name that is no filter, or a value that does not fit; pointers begin with `/filter`.
    """
    try:
        tree = make_tree(filter, rules.filters)
    except MisfitError as misfit:
        fault = Fault(misfit.code, f"{misfit}.", pointer=AT + misfit.at)
        raise InvalidBodyError("The filter does not fit.", faults=[fault]) from None
    view = WHOLE if permit is None else View(permit=permit)
    return ReadRequest(tree.parts, rules.default_sort, Paging("offset", 0, most), "none", view)
