"""The bulk routes of a resource: which ones it has, and their bodies and answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from colonnade.api.bulk import BulkCreate, BulkDelete, BulkUpdate, BulkUpsert
from colonnade.api.endpoint import Endpoint
from colonnade.query.parse import ListRules
from colonnade.schemas.bulk import Affected, BulkResults, change_body, delete_body, many_body, many_shown
from colonnade.services.bulk import BulkWriter
from colonnade.services.bulk_targets import FilteredWriter
from colonnade.services.bulk_upsert import Upserter


def bulk_endpoints(
    bulk: BulkWriter, rules: ListRules, methods: Collection[str], upsert: tuple[str, ...]
) -> Iterator[Endpoint]:
    """Give the bulk routes of the operations that a resource has.

    Args:
        bulk: changes its rows.
        rules: of its list, which say what a filter may name.
        methods: the resource's operations; each has its bulk route.
        upsert: the unique key of `PUT /x/bulk`; none when empty.
    """
    blueprint = bulk.writer.blueprint
    name, plural, facts = blueprint.label, blueprint.plural, blueprint.facts
    spoken = plural.replace("_", " ")
    filtered = FilteredWriter(bulk)
    changed = many_shown(f"{name}BulkChanged", plural, blueprint.response, counted=True)
    if "create" in methods:
        body = many_body(f"{name}BulkCreate", blueprint.create)
        created = many_shown(f"{name}BulkCreated", plural, blueprint.response, counted=False)
        yield Endpoint(
            "POST", "/bulk", BulkCreate(bulk, body), f"Create many {spoken}", created, body, partly=BulkResults
        )
        if upsert:
            body = many_body(f"{name}BulkUpsert", blueprint.create)
            put = BulkUpsert(Upserter(bulk, upsert), body)
            yield Endpoint("PUT", "/bulk", put, f"Create or change many {spoken}", changed, body)
    if "update" in methods:
        body = change_body(f"{name}BulkChange", facts, blueprint.update)
        patch = BulkUpdate(bulk, filtered, rules, body)
        yield Endpoint("PATCH", "/bulk", patch, f"Change many {spoken}", changed, body, partly=BulkResults)
    if "delete" in methods:
        body = delete_body(f"{name}BulkDelete", facts)
        delete = BulkDelete(bulk, filtered, rules, body)
        yield Endpoint("POST", "/bulk-delete", delete, f"Delete many {spoken}", Affected, body, 200, BulkResults)


def atomic_parameter() -> dict[str, Any]:
    """Describe `?atomic=false`, which may stand in the body as well."""
    return {
        "name": "atomic",
        "in": "query",
        "required": False,
        "schema": {"type": "boolean", "default": True},
        "description": "`false`: make what can be made, and answer 207 with one result per item",
    }
