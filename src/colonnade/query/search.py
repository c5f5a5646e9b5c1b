"""`q`: a text looked for, as it stands, in the fields that a resource declares."""

from __future__ import annotations

from collections.abc import Sequence

from colonnade.query.refusals import refuse_parameter
from colonnade.query.request import Condition, Group

MAX_SEARCH = 200
"""Characters of a search."""


def read_search(text: str, fields: Sequence[str]) -> Group:
    """Look for a text in any of the fields, without regard to case; nothing in it is a wildcard.

    Raises:
        InvalidParameterError: CLN200, it is empty, longer than 200 characters, or holds U+0000.
    """
    if not 1 <= len(text) <= MAX_SEARCH:
        refuse_parameter("q", "out_of_range", f"Expected 1 to {MAX_SEARCH} characters.")
    if "\0" in text:
        refuse_parameter("q", "text_unstorable", "Text can't hold U+0000.")
    return Group("or", tuple([Condition(field, "icontains", (text,)) for field in fields]))
