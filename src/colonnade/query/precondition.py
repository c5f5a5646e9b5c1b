"""What a client demands of a row before it is changed (RFC 9110 §13), as a frozen value free of HTTP.

A row with a version is known by it; its tag may carry a digest behind the version, where more is shown than the row's own
columns, and a demand looks at the version only. A row without one is known by the digest of what is shown of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from colonnade.core.errors import PreconditionFailedError, ProblemError, StaleVersionError

_VERSION = re.compile(r"([1-9][0-9]{0,9})(-[0-9a-f]{24})?")
_MAX_VERSION = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class EntityTags:
    """Entity tags that a client named, without their quotes.

    Attributes:
        any: it named `*`, whatever there is.
        strong: those that are alike byte by byte.
        weak: those that it had with a `W/`.
    """

    any: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    def match_strongly(self, current: str) -> bool:
        """Compare strongly (RFC 9110 §8.8.3.2): a weak tag is like none.

        Args:
            current: the row's version, or its digest where it has none.
        """
        return self.any or current in self.strong or any(_bare(tag) == current for tag in self.strong)

    def match_weakly(self, current: str) -> bool:
        """Compare weakly: only the texts count.

        Args:
            current: the whole tag of what would be answered.
        """
        return self.any or current in self.strong or current in self.weak


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold of a row, or it is not changed.

    Attributes:
        match: `If-Match`.
        none_match: `If-None-Match`.
        version: the version that the body names.
    """

    match: EntityTags | None = None
    none_match: EntityTags | None = None
    version: int | None = None

    @property
    def is_given(self) -> bool:
        """Whether the client demands anything at all."""
        return self != UNCONDITIONAL

    @property
    def versions(self) -> frozenset[int] | None:
        """The only versions that a row may have, for the WHERE of its change; None when any will do."""
        found = None if self.match is None or self.match.any else _versions(self.match.strong)
        if self.version is None:
            return found
        return frozenset({self.version}) if found is None else found & {self.version}

    def judge(self, current: str, version: int | None) -> ProblemError | None:
        """Tell why a row must not be changed; None when it may.

        Args:
            current: its version as text, or the digest of what is shown of it where it has none.
            version: its version, where it has one.

        Returns:
            PreconditionFailedError (CLN431) for a header, StaleVersionError (CLN430) for the body's version.
        """
        if self.match is not None and not self.match.match_strongly(current):
            return PreconditionFailedError(f"The row is no longer as 'If-Match' demands{_now_at(version)}.")
        if self.none_match is not None and self.none_match.match_weakly(current):
            return PreconditionFailedError(f"The row is as 'If-None-Match' excludes{_now_at(version)}.")
        if self.version is not None and self.version != version:
            return StaleVersionError(f"Version conflict: the change is of version {self.version}{_now_at(version)}.")
        return None


UNCONDITIONAL = Precondition()
"""No demand: whatever is there is changed."""


def _bare(tag: str) -> str:
    found = _VERSION.fullmatch(tag)
    return tag if found is None else found[1]


def _versions(tags: frozenset[str]) -> frozenset[int]:
    found = [int(match[1]) for tag in tags if (match := _VERSION.fullmatch(tag))]
    return frozenset(version for version in found if version <= _MAX_VERSION)


def _now_at(version: int | None) -> str:
    return "" if version is None else f"; it is at version {version} now"
