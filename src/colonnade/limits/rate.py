"""A rate, and what one request against it was told."""

from __future__ import annotations

from typing import NamedTuple

from colonnade.core.errors import DeclarationError
from colonnade.core.setting_values import check_rate

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """So many requests in any stretch of so many seconds."""

    requests: int
    seconds: int


class Verdict(NamedTuple):
    """What a request was told.

    Attributes:
        accepted: whether it may go on.
        remaining: requests that may follow now.
        reset: seconds until the oldest request that counts does so no longer, and one more may follow.
    """

    accepted: bool
    remaining: int
    reset: float


def read_rate(text: str) -> Rate:
    """Read a rate as the settings write it, e.g. `100/minute`.

    Raises:
        DeclarationError: it is none, or `off`.
    """
    try:
        checked = check_rate(text)
    except ValueError as error:
        raise DeclarationError(f"{text!r} is no rate; {error}") from None
    if checked is None:
        raise DeclarationError("a rate that is off is no rate; leave it out")
    count, _, unit = checked.partition("/")
    return Rate(int(count), _SECONDS[unit])
