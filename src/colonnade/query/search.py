"""`q`: a text looked for as it stands, in the fields that a resource declares; its words, where the model indexes them.

The last word is looked for as a beginning, as search boxes do. Rows are not ranked: the databases weigh words differently,
so that pages would differ, and a walk has no place in an order that every change of another row moves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from colonnade.query.full_text import BEGINNING, MATCHES, MATCHES_UNINDEXED
from colonnade.query.refusals import refuse_parameter
from colonnade.query.request import Condition, Group

MAX_SEARCH = 200
"""Characters of a search."""

INDEXED = range(3, 85)
"""Lengths of the words that InnoDB indexes (`innodb_ft_min_token_size` and `innodb_ft_max_token_size` by default)."""


def read_search(text: str, fields: Sequence[str], *, words: bool = False) -> Group:
    """Look for a text in any of the fields, without regard to case; nothing in it is a wildcard or an operator.

    Args:
        text: what is looked for.
        fields: in which.
        words: the fields are indexed by words: each word has to be in one of them, the last one as the beginning of a word
            if nothing but a `*` stands behind it, so that who is still typing is shown something. A text without any word
            is looked for as it stands all the same.

    Raises:
        InvalidParameterError: CLN200, it is empty, longer than 200 characters, or holds U+0000.
    """
    if not 1 <= len(text) <= MAX_SEARCH:
        refuse_parameter("q", "out_of_range", f"Expected 1 to {MAX_SEARCH} characters.")
    if "\0" in text:
        refuse_parameter("q", "text_unstorable", "Text can't hold U+0000.")
    if words and (found := _words_of(text)):
        if _is_of_word(text.removesuffix("*")[-1]):
            found[-1] += BEGINNING
        return Group("and", tuple(_matches(found)))
    return Group("or", tuple([Condition(field, "icontains", (text,)) for field in fields]))


def _words_of(text: str) -> list[str]:
    """Take the words out of a text, in lower case; a combining mark belongs to the letter before it."""
    return "".join(one if _is_of_word(one) else " " for one in text.lower()).split()


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _matches(words: list[str]) -> Iterator[Condition]:
    indexed = [word for word in words if _is_indexed(word)]
    if indexed:
        yield Condition("", MATCHES, (" ".join(indexed),))
    for word in dict.fromkeys(words):
        if not _is_indexed(word):
            yield Condition("", MATCHES_UNINDEXED, (word,))


def _is_indexed(word: str) -> bool:
    """Tell whether MariaDB finds a word by its index: a beginning only if that has nothing at which it parts words."""
    beginning = word.removesuffix(BEGINNING)
    return len(beginning) in INDEXED and (
        beginning == word or all(one.isalpha() or one.isdecimal() for one in beginning)
    )
