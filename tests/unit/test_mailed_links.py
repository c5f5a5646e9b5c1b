"""What a mailed link carries: read for its own purpose, in its time, and as it was written."""

from __future__ import annotations

import pytest

from colonnade.security import mailed_links
from colonnade.security.mailed_links import LIFETIMES, MailedLink, MailedLinks, state_of

LINKS = MailedLinks(b"a key of thirty-two bytes, or so.")
LINK = MailedLink("7", state_of("ada@example.com", None))


def test_a_link_is_read_as_it_was_written() -> None:
    """S78: whose it is and what the account was like, and nothing of that can be seen in it."""
    token = LINKS.write("verify-email", LINK)
    assert LINKS.read("verify-email", token) == LINK
    assert LINK.state not in token


def test_a_link_is_for_one_purpose() -> None:
    """S78: one that verifies an address resets no password."""
    assert LINKS.read("reset-password", LINKS.write("verify-email", LINK)) is None


def test_a_link_of_another_key_is_none() -> None:
    """S78: nor is one that was changed, cut, or made up."""
    token = LINKS.write("reset-password", LINK)
    assert MailedLinks(b"another key").read("reset-password", token) is None
    for text in (
        token[:-4],
        token + "AAAA",
        "A" + token[1:] if token[0] != "A" else "B" + token[1:],
        "",
        "ä",
        "x" * 999,
    ):
        assert LINKS.read("reset-password", text) is None


@pytest.mark.parametrize("purpose", LIFETIMES)
def test_a_link_ends(monkeypatch: pytest.MonkeyPatch, purpose: mailed_links.Purpose) -> None:
    """S78: half an hour for a password, three days for an address."""
    token = LINKS.write(purpose, LINK)
    now = mailed_links.time.time()
    monkeypatch.setattr(mailed_links.time, "time", lambda: now + LIFETIMES[purpose] - 2)
    assert LINKS.read(purpose, token) == LINK
    monkeypatch.setattr(mailed_links.time, "time", lambda: now + LIFETIMES[purpose] + 1)
    assert LINKS.read(purpose, token) is None
