"""The reference application's migrations are one line of numbers."""

from __future__ import annotations

import re

from tests.house.tree import ROOT


def test_each_migration_follows_the_one_before_it() -> None:
    """Files, revisions and predecessors count up by one: of two with the same number Alembic would pass one over."""
    found = []
    for path in sorted((ROOT / "migrations" / "versions").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        names = re.findall(r'^(?:down_)?revision: str(?: \| None)? = (?:"(\d+)"|None)', text, re.MULTILINE)
        found.append((path.name[:4], *names))
    numbers = [f"{number:04d}" for number in range(1, len(found) + 1)]
    assert found == [(number, number, before) for number, before in zip(numbers, ["", *numbers], strict=False)]
