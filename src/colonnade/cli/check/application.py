"""What there is to find in an application: routes that nobody guards, jobs without a table, lists without an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from fastapi.routing import iter_route_contexts

from colonnade.api.endpoint_route import innermost
from colonnade.api.open_routes import REMEDY, open_routes
from colonnade.api.operations import ListRows
from colonnade.api.route import ResourceRoute, runtime_of
from colonnade.core.finding import Finding
from colonnade.core.setting_values import is_local
from colonnade.models import jobs
from colonnade.models.facts import ColumnFacts, TableFacts
from colonnade.models.indexes import is_indexed, is_worth_an_index, pointless_indexes, unindexed_foreign_keys
from colonnade.query.parse import ListRules

_OPEN = Finding(
    "accounts", "there are none: everybody may do everything", "create_app(..., accounts=...)", is_hint=True
)
_COSTS = "each request reads the whole table"


def check_access(app: Any) -> Iterator[Finding]:
    """Look for routes of resources that neither a policy nor a dependency guards.

    Args:
        app: has resource routes; where nobody can sign in, that alone is told.
    """
    if runtime_of(app).authenticate is None:
        yield _OPEN
        return
    for model, methods in open_routes(app).items():
        what = f"no policy says who may {', '.join(sorted(methods))} there, so everybody may"
        yield Finding(model.__name__, what, REMEDY)


def check_links(app: Any) -> Iterator[Finding]:
    """Look where mailed links and identity providers lead people.

    Args:
        app: has accounts, perhaps.
    """
    accounts = runtime_of(app).accounts
    url = "" if accounts is None else accounts.public_url
    remedy = "set it to the address at which people find the application, https://..."
    if url and is_local(url):
        yield Finding("PUBLIC_URL", f"mailed links and identity providers would lead people to {url}", remedy)
    elif url.startswith("http:"):
        what = f"{url} is not served over TLS, so whoever is on the way of a mailed link can use it"
        yield Finding("PUBLIC_URL", what, remedy, is_hint=True)


def check_jobs(app: Any) -> Iterator[Finding]:
    """Look whether the application's jobs have a table: nothing misses it before the first one is asked for.

    Args:
        app: has a database with `metadata`, and perhaps jobs.
    """
    metadata: sa.MetaData | None = app.state.database.metadata
    if runtime_of(app).jobs and metadata is not None and jobs.TABLE not in metadata.tables:
        yield Finding(
            "jobs",
            "no table is declared for them: each request that asks for one fails",
            "job_table(Base.metadata) beside the models; then colonnade db new",
        )


def check_indexes(app: Any) -> Iterator[Finding]:
    """Look for foreign keys, filters and sorts without an index, and for indexes that help nobody (S44).

    Args:
        app: has a database with `metadata`, and resource routes.
    """
    metadata: sa.MetaData | None = app.state.database.metadata
    for table in metadata.sorted_tables if metadata is not None else ():
        for names in unindexed_foreign_keys(table):
            spelt = ", ".join(f'"{name}"' for name in names)
            yield Finding(
                f"{table.name}.{', '.join(names)}",
                "a foreign key without an index: deleting what it refers to reads the whole table",
                f"index=True, or Index(None, {spelt}) in __table_args__; then colonnade db new",
            )
    told = set()
    for facts, rules in _lists(app):
        for finding in (*_unindexed(facts, rules), *_pointless(facts)):
            if finding not in told:
                told.add(finding)
                yield finding


def _lists(app: Any) -> Iterator[tuple[TableFacts, ListRules]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        operation = innermost(route.operation) if isinstance(route, ResourceRoute) else None
        if isinstance(operation, ListRows):
            yield operation.reader.facts, operation.rules


def _unindexed(facts: TableFacts, rules: ListRules) -> Iterator[Finding]:
    filtered = {rule.field: rule.column for rule in rules.filters.values()}
    sorted_by = {name: facts.columns[name] for name in (*rules.sorts, *(key.field for key in rules.default_sort))}
    for use, columns in (("filter", filtered), ("sort", sorted_by)):
        for field, column in sorted(columns.items()):
            if is_worth_an_index(column) and not is_indexed(column.column.table, [column.column.name]):
                yield _without_index(facts, use, field, column)


def _without_index(facts: TableFacts, use: str, field: str, column: ColumnFacts) -> Finding:
    place = f"{column.column.table.name}.{column.column.name}"
    return Finding(
        place,
        f"{facts.model.__name__} declares the {use} '{field}', which no index serves: {_COSTS}",
        "index=True on its column, then colonnade db new; or take it out of Listing",
    )


def _pointless(facts: TableFacts) -> Iterator[Finding]:
    for name in pointless_indexes(facts.table, facts.columns.values()):
        yield Finding(
            f"{facts.table.name}.{name}",
            "an index on a flag or a large text alone is written and hardly read",
            "drop it, or index it together with what lists are sorted by",
            is_hint=True,
        )
