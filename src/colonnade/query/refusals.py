"""How a parameter is refused: by its name, never with its value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from colonnade.core.errors import Fault, InvalidParameterError

MAX_NAMED = 5
"""Unknown parameters that the sentence itself names; `errors` lists the others too."""


def refuse_parameter(name: str, code: str, message: str) -> NoReturn:
    """Refuse a parameter whose value does not fit.

    Raises:
        InvalidParameterError: CLN200.
    """
    fault = Fault(code, message, parameter=name[:100])
    raise InvalidParameterError(f"The parameter '{name[:100]}' does not fit: {message}", faults=[fault])


def refuse_unknown(names: Iterable[str]) -> NoReturn:
    """Refuse parameters that a route does not know: one never widens or narrows a result silently.

    Raises:
        InvalidParameterError: CLN200.
    """
    cut = [name[:100] for name in sorted(names)]
    faults = [Fault("unknown_parameter", "This route has no such parameter.", parameter=name) for name in cut]
    named = ", ".join(f"'{name}'" for name in cut[:MAX_NAMED]) + (" and others" if len(cut) > MAX_NAMED else "")
    raise InvalidParameterError(f"This route has no parameter {named}.", faults=faults)
