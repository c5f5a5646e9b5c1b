"""What a folder of migrations says by itself: their revisions, without Alembic, which takes long to import."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from colonnade.core.errors import DeclarationError

_REVISION = re.compile(r"^revision\b[^=\n]*=\s*['\"]([^'\"]+)['\"]", re.MULTILINE)
_BEFORE = re.compile(r"^down_revision\b[^=\n]*=(.*)$", re.MULTILINE)
_QUOTED = re.compile(r"['\"]([^'\"]+)['\"]")


class Revisions(NamedTuple):
    """The revisions of a folder's migrations: those that none follows, and all others."""

    newest: frozenset[str]
    older: frozenset[str]


def read_revisions(folder: Path) -> Revisions:
    """Read the revisions of a folder's migrations.

    Args:
        folder: has `versions/`.

    Raises:
        DeclarationError: it has no migrations.
    """
    texts = [path.read_text(encoding="utf-8") for path in (folder / "versions").glob("*.py")]
    every = {found[1] for text in texts if (found := _REVISION.search(text)) is not None}
    if not every:
        raise DeclarationError(f"no migrations in {folder}; name the folder that has env.py and versions")
    followed = {name for text in texts for line in _BEFORE.findall(text) for name in _QUOTED.findall(line)}
    return Revisions(frozenset(every - followed), frozenset(every & followed))
