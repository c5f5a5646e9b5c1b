"""One row as the wire shows it, and the entity tag by which it is known (RFC 9110 §8.8.3)."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple


class Document(NamedTuple):
    """One row as the wire shows it.

    Attributes:
        body: its JSON.
        version: where its table keeps one.
        whole: it is the canonical representation; a view left fields out or put relations in.
        mingled: it shows more than the row's own columns, which may change without the row's version.
    """

    body: bytes
    version: int | None = None
    whole: bool = True
    mingled: bool = False

    @property
    def state(self) -> str:
        """What a precondition looks at: the version, or a digest of what is shown where there is none."""
        return str(self.version) if self.version is not None else digest(self.body)

    @property
    def tag(self) -> str:
        """The opaque text of its entity tag: the state, and a digest behind it where the version does not tell all."""
        return f"{self.version}-{digest(self.body)}" if self.mingled and self.version is not None else self.state

    @property
    def entity_tag(self) -> bytes:
        """The tag as the header has it; weak on a view."""
        if self.version is not None and self.whole and not self.mingled:
            return b'"%d"' % self.version  # nearly every answer
        return (f'"{self.tag}"' if self.whole else f'W/"{self.tag}"').encode()


def digest(body: bytes) -> str:
    """Give 24 hexadecimal digits that stand for a body; more than chance needs, fewer than a header minds."""
    return blake2b(body, digest_size=12).hexdigest()
