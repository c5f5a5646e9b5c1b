"""What operations are called: a route's name, and its id in OpenAPI, by which generated clients name their functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from colonnade.api.endpoint import Endpoint

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_NAMES = {
    ("GET", ""): "list_{plural}",
    ("POST", ""): "create_{singular}",
    ("GET", "/{id}"): "get_{singular}",
    ("PATCH", "/{id}"): "update_{singular}",
    ("PUT", "/{id}"): "replace_{singular}",
    ("DELETE", "/{id}"): "delete_{singular}",
    ("POST", "/{id}/restore"): "restore_{singular}",
    ("POST", "/bulk"): "bulk_create_{plural}",
    ("PATCH", "/bulk"): "bulk_update_{plural}",
    ("PUT", "/bulk"): "bulk_upsert_{plural}",
    ("POST", "/bulk-delete"): "bulk_delete_{plural}",
    ("GET", "/me"): "get_own_{singular}",
}


def row_operation(endpoint: Endpoint, label: str, plural: str) -> str:
    """Name an operation of a resource: `list_products`, `create_product`, `list_posts_of_user`.

    Args:
        endpoint: whose.
        label: the model's name.
        plural: of the resource.
    """
    below = "list_" + endpoint.path.removeprefix("/{id}/") + "_of_{singular}"
    name = _NAMES.get((endpoint.method, endpoint.path), below)
    return _plain(name.format(singular=snake(label), plural=plural))


def snake(name: str) -> str:
    """Write a class's name as a function's: `user_profile`."""
    return _WORD.sub("_", name).lower()


class Operation(NamedTuple):
    """An operation of the document.

    Attributes:
        name: of its route.
        template: the route's own path, without what its router was included under.
        path: all of it.
        described: its object, which is changed.
    """

    name: str
    template: str
    path: str
    described: dict[str, Any]


def shorten(operations: Iterable[Operation], taken: Iterable[str]) -> None:
    """Give operations their routes' names as ids, the first of each name; what comes later is told apart.

    A second version's is `list_products_v2`, a second resource's of one model `create_product_archive`; an id that would not
    be the only one even so stays as long as FastAPI made it.

    Args:
        operations: whose ids FastAPI made, in the document's order.
        taken: ids of the others.
    """
    holders: dict[str, str] = dict.fromkeys(taken, "")
    for one in operations:
        for id in _candidates(one, holders):
            if id not in holders:
                holders[id] = one.template
                one.described["operationId"] = id
                break


def _candidates(operation: Operation, holders: dict[str, str]) -> Iterator[str]:
    yield operation.name
    if holders[operation.name] == operation.template:
        other = operation.path.removesuffix(operation.template).rpartition("/")[2]
    else:
        other = operation.template.strip("/").partition("/")[0]
    yield f"{operation.name}_{_plain(other)}"


def _plain(text: str) -> str:
    return re.sub(r"\W", "_", text, flags=re.ASCII)
