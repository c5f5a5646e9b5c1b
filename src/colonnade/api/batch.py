"""`POST /batch`: requests to several resources, done in one transaction by the resources' own operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.routing import BaseRoute

from colonnade.api.body import parse_body, require_json
from colonnade.api.caching import Cached
from colonnade.api.idempotency import Idempotent
from colonnade.api.limited import Limited
from colonnade.api.middleware.body_limit import MAX_BODY_SIZE
from colonnade.api.operations import Call
from colonnade.api.references import References
from colonnade.api.reply import Reply
from colonnade.api.route import ResourceRoute, runtime_of
from colonnade.api.route_table import PlacedRoute, placed_routes
from colonnade.core.errors import Fault, InvalidBodyError, ProblemError, ServerError
from colonnade.core.json import dump_json, parse_json
from colonnade.database.database import Database
from colonnade.query.parse import refuse_parameters
from colonnade.schemas.batch import BatchBody, BatchOperation
from colonnade.services.batch import in_one_transaction

# What the batch's own request says once for all of its operations.
_OF_THE_BATCH = frozenset({"content-type", "content-length", "host", "authorization", "cookie", "idempotency-key"})


@dataclass(frozen=True, slots=True)
class Batch:
    """POST of operations."""

    async def __call__(self, call: Call) -> Reply:
        """Do all operations in their order, in one transaction: 200 with one result each.

        One that fails rolls all of them back, and its own status is answered, with its id in the problem. With `dry_run`
        everything is rolled back, and what would have happened is answered.
        """
        refuse_parameters(call.scope["query_string"])
        require_json(call.scope)
        body = parse_body(BatchBody, await call.body())
        assert isinstance(body, BatchBody)  # parsed as one
        _require_distinct(body.operations)
        routes = list(placed_routes(call.scope["app"]))

        async def work(database: Database) -> list[dict[str, Any]]:
            run = _Run(call._replace(database=database), routes)
            for index, operation in enumerate(body.operations):
                await run.do(index, operation)
            return run.results

        results = await in_one_transaction(call.database, work, keep=not body.dry_run)
        return Reply(200, (), dump_json({"results": results}))


class _Run:
    """One try of a batch: what has been answered so far."""

    def __init__(self, call: Call, routes: Sequence[PlacedRoute]) -> None:
        self._call = call
        self._scope = call.scope
        self._routes = routes
        self._references = References(MAX_BODY_SIZE)
        self.results: list[dict[str, Any]] = []

    async def do(self, index: int, operation: BatchOperation) -> None:
        """Do the next operation.

        Raises:
            ProblemError: what it refuses, with its id, and its place in the batch before each pointer.
        """
        at = f"/operations/{index}"
        try:
            reply = await self._answered(operation, at)
        except ServerError:
            raise
        except ProblemError as error:
            error.members["id"] = operation.id
            error.faults = tuple(_placed(error.faults, at))
            raise
        shown = parse_json(reply.body) if reply.body else None
        self._references.add(operation.id, shown)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
        self.results.append({"id": operation.id, "status": reply.status, "headers": headers, "body": shown})

    async def _answered(self, operation: BatchOperation, at: str) -> Reply:
        path, _, query = self._references.resolve_path(operation.path, f"{at}/path").partition("?")
        route, values = self._route(operation.method, unquote(path), f"{at}/path")
        body = b""
        if operation.body is not None:
            body = dump_json(self._references.resolve(operation.body, f"{at}/body"))

        async def give() -> bytes:
            return body

        scope = {
            **self._scope,
            "method": operation.method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": _headers(operation.headers, f"{at}/headers"),
            "path_params": values,
        }
        return await route.operation(self._call._replace(scope=scope, body=give))

    def _route(self, method: str, path: str, at: str) -> tuple[ResourceRoute, Mapping[str, str]]:
        """Find the route that the request itself would have found; only one that nothing of the user's guards may do."""
        for placed in self._routes:
            if (found := placed.match(method, path)) is not None:
                if self._takes(placed.route):
                    return placed.route, found.groupdict()
                break
        fault = Fault("path_unknown", "A batch has no operation of this method and path.", pointer=at)
        raise InvalidBodyError(f"A batch can't do {method} on this path.", faults=[fault])

    def _takes(self, route: BaseRoute) -> TypeGuard[ResourceRoute]:
        if not isinstance(route, ResourceRoute):
            return False
        operation = route.operation
        while isinstance(operation, Cached | Limited | Idempotent):
            operation = operation.operation
        app: FastAPI = self._scope["app"]
        return not isinstance(operation, Batch) and not route.apart and runtime_of(app).lets_through(route, app)


def _placed(faults: Iterable[Fault], at: str) -> Iterable[Fault]:
    """Put an operation's place before the places in its body; those that name the batch's own body stay."""
    for fault in faults:
        if fault.pointer is None or fault.pointer.startswith("/operations/"):
            yield fault
        else:
            yield replace(fault, pointer=f"{at}/body{fault.pointer}")


def _headers(given: Mapping[str, str], at: str) -> list[tuple[bytes, bytes]]:
    found = [(b"content-type", b"application/json")]
    for name, value in given.items():
        if name.lower() in _OF_THE_BATCH or not (name + value).isascii():
            fault = Fault("header_unusable", "This header can't be given to one operation.", pointer=at)
            raise InvalidBodyError("A header of an operation can't be used.", faults=[fault])
        found.append((name.lower().encode(), value.encode()))
    return found


def _require_distinct(operations: Sequence[BatchOperation]) -> None:
    seen: set[str] = set()
    for index, operation in enumerate(operations):
        if operation.id in seen:
            fault = Fault("repeated", "An earlier operation has this id.", pointer=f"/operations/{index}/id")
            raise InvalidBodyError("Two operations have the same id.", faults=[fault])
        seen.add(operation.id)
