"""What `allow` takes, and to whom a grant applies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from colonnade import allow, anyone, signed_in
from colonnade.core.errors import DeclarationError
from colonnade.policy.audience import NOBODY, Standing
from colonnade.policy.grant import Grant


def test_a_key_needs_its_scope_for_rows_of_its_own() -> None:
    """S78: what anyone may do with rows of his own is done by an account, and a key of it is confined to its scopes."""
    grant = allow("everything", to=anyone, own="owner_id")
    reading = Standing(True, "user", frozenset({"tools:read"}))
    assert grant.applies("read", "tools", reading)
    assert not grant.applies("delete", "tools", reading)
    assert not grant.applies("read", "orders", reading)
    assert grant.applies("delete", "tools", Standing(True, "user"))
    assert not grant.applies("read", "tools", NOBODY)


def test_a_key_may_what_anyone_may() -> None:
    """S78: rows that are open to all are open to a key as well, whatever its scopes."""
    grant = allow("read", to=anyone)
    assert grant.applies("read", "tools", Standing(True, "user", frozenset()))
    assert grant.applies("read", "tools", NOBODY)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (lambda: allow("read_deleted", to=signed_in, hide=["salary"]), "not of read_deleted alone"),
        (lambda: allow("update", "delete", to=signed_in, show=["name"]), "not of delete, update alone"),
        (lambda: allow("read", to=signed_in, where={"kinds": ["a"]}), "takes a single value, not a list"),
    ],
    ids=["deleted", "changes", "list"],
)
def test_a_grant_that_can_not_work_is_refused(declared: Callable[[], Grant], told: str) -> None:
    """S78: a field that would be shown all the same, or a condition that would fail with the first request."""
    with pytest.raises(DeclarationError, match=told):
        declared()


def test_what_is_shown_belongs_to_reading_and_creating() -> None:
    """S78: both may be said together with whatever else is allowed."""
    assert allow("read", "read_deleted", to=signed_in, hide=["salary"]).hide == {"salary"}
    assert allow("create", to=anyone, show=["id"]).show == {"id"}
