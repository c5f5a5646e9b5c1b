"""Looking at an application's policies: who may do what, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from colonnade.cli.application import find
from colonnade.cli.showing import show_table

HEAD = ("table", "who", "may", "which rows", "without the fields", "writing only")


def show_policies(reference: str) -> None:
    """Print each grant of each table that the application's routes are about."""
    show_table(HEAD, policy_rows(find(reference)))


def policy_rows(application: Any) -> Iterator[tuple[str, ...]]:
    """Give one row a grant: table, audience, operations, rows, fields that are hidden, and fields that may be written."""
    from fastapi.routing import iter_route_contexts

    from colonnade.policy.policy import policy_of

    routes = [context.original_route for context in iter_route_contexts(application.routes)]
    models = dict.fromkeys(model for route in routes if (model := getattr(route, "model", None)) is not None)
    for model in models:
        policy = policy_of(model)
        if policy is None:
            yield str(model.__tablename__), "anyone", "everything: it has no policy", "all", "", ""
        else:
            yield from ((str(model.__tablename__), *_told(grant)) for grant in policy.grants)


def _told(grant: Any) -> tuple[str, ...]:
    from colonnade.policy.grant import OPERATIONS

    operations = "everything" if grant.operations == set(OPERATIONS) else ""
    named = ", ".join(operation for operation in OPERATIONS if operation in grant.operations)
    conditions = ([f"{grant.own} is the account's"] if grant.own else []) + [
        f"{key}={value}" for key, value in grant.where
    ]
    hidden = ", ".join(sorted(grant.hide)) if grant.show is None else f"all but {', '.join(sorted(grant.show))}"
    writing = "" if grant.write is None else ", ".join(sorted(grant.write)) or "none"
    return str(grant.to), operations or named, " and ".join(conditions) or "all", hidden, writing
