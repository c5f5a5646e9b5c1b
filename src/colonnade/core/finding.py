"""What `colonnade check` finds: one thing that is not as it should be, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found.

    Attributes:
        place: a setting, a table or a route.
        what: is wrong there; never the value of a secret.
        remedy: what to do.
        is_hint: worth a thought, and no reason to refuse.
    """

    place: str
    what: str
    remedy: str
    is_hint: bool = False
