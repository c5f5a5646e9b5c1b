"""How a parameter is refused: by its name, never with its value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from colonnade.core.errors import Fault, InvalidParameterError


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
    faults = [
        Fault("unknown_parameter", "This route has no such parameter.", parameter=name[:100]) for name in sorted(names)
    ]
    raise InvalidParameterError("The query has a parameter that this route does not know.", faults=faults)
