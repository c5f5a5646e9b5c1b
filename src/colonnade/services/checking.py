"""What is refused of a change before its statement: values that do not fit, and what its principal may not give a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from colonnade.core.errors import AccessError, DeclarationError
from colonnade.policy.access import Permit
from colonnade.query.values import read_default
from colonnade.schemas.fit import all_fit, fit_values
from colonnade.services.blueprint import Blueprint
from colonnade.services.hooks import Change


class Checker:
    """Checks the changes of one resource.

    Args:
        blueprint: the resource.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._label = blueprint.label
        self._facts = blueprint.facts

    def __call__(self, change: Change) -> None:
        """Refuse values that do not fit their columns, that have none, or that its principal may not give a row.

        Raises:
            InvalidBodyError: CLN201.
            AccessError: CLN300, CLN301.
            DeclarationError: a hook has left a name that no column has.
        """
        values = change.values
        if unknown := values.keys() - self._facts.columns.keys():
            names = ", ".join(sorted(unknown))
            raise DeclarationError(
                f"{self._label} has no column for: {names}; take them out of change.values in a hook"
            )
        fit_values(self._facts, values)
        if change.permit is not None:
            self._check_permit(change, change.permit)

    def all_pass(self, changes: Sequence[Change]) -> bool:
        """Check many changes at once; False where one of them is to be checked by itself, which says what is wrong."""
        if not all_fit(self._facts, [change.values for change in changes]):
            return False
        try:
            for change in changes:
                if change.permit is not None:
                    self._check_permit(change, change.permit)
        except AccessError:
            return False
        return True

    def _check_permit(self, change: Change, permit: Permit) -> None:
        if change.action != "create":
            change.permit = permit.keeping(change.values)
        elif permit.restricts is not None:
            permit.require(partial(self._new_value, change.values))

    def _new_value(self, values: Mapping[str, object], key: str) -> object:
        """Tell what a new row has in a column, by the values that are given and by the column's own default."""
        if key in values:
            return values[key]
        column = self._facts.columns[key]
        return read_default(column) if column.default is None else column.default()
