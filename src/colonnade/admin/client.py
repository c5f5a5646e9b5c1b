"""Calling a resource's operations from inside the process, as a request would."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.requests import Request

from colonnade.api.idempotency import Idempotent
from colonnade.api.limited import Limited
from colonnade.api.operations import Call, DeleteRow
from colonnade.api.resource import Resource
from colonnade.api.route import ResourceRoute, runtime_of
from colonnade.core.errors import DeclarationError
from colonnade.core.json import dump_json, parse_json
from colonnade.database.database import Database
from colonnade.policy.principal import Principal

_JSON = (b"content-type", b"application/json")


class ResourceClient:
    """Asks one resource of an application.

    Args:
        app: the application, whose database and accounts are used.
        resource: one of its resources.
        prefix: what stands before the resource's path, e.g. `/api/v1`.
    """

    def __init__(self, app: FastAPI, resource: Resource, prefix: str) -> None:
        self.resource = resource
        self._app = app
        self._prefix = prefix
        self._joined: Database | None = None
        self._routes = {
            (method, route.path.removeprefix(f"/{resource.path}")): route
            for route in resource.router.routes
            if isinstance(route, ResourceRoute)
            for method in route.methods or ()
        }

    def can(self, method: str, path: str) -> bool:
        """Tell whether the resource has an operation, e.g. `POST` of `/{id}/restore`."""
        return (method, path) in self._routes

    @property
    def database(self) -> Database:
        """The application's own, or as a transaction sees it."""
        return self._joined or runtime_of(self._app).database

    def inside(self, database: Database) -> Self:
        """Give a client whose requests are parts of a transaction.

        Args:
            database: as the transaction sees it.
        """
        found = copy.copy(self)
        found._joined = database
        return found

    @property
    def purges(self) -> bool:
        """Whether it removes rows for good that are deleted softly otherwise."""
        route = self._routes.get(("DELETE", "/{id}"))
        operation: Any = None if route is None else route.operation
        while isinstance(operation, Limited | Idempotent):
            operation = operation.operation
        return isinstance(operation, DeleteRow) and operation.purges

    async def ask(
        self,
        request: Request,
        method: str,
        path: str = "",
        *,
        id: object = None,
        query: Mapping[str, object] | None = None,
        body: object = None,
    ) -> Any:
        """Do an operation for the administrator who is signed in.

        Args:
            request: of the page; its principal asks.
            method: of the operation.
            path: behind the resource's own, with `{id}` for the row's.
            id: of the row.
            query: parameters, as the wire has them.
            body: what is sent as JSON.

        Returns:
            The answer's body as JSON has it; None where there is none.

        Raises:
            ProblemError: whatever the operation refuses.
        """
        route = self._routes.get((method, path))
        if route is None:
            raise DeclarationError(f"{self.resource.path} has no operation {method} {path}")
        principal: Principal = request.state.principal
        text = b"" if body is None else dump_json(body)

        async def give() -> bytes:
            return text

        scope = {
            **request.scope,
            "app": self._app,
            "root_path": "",
            "method": method,
            "path": f"{self._prefix}/{self.resource.path}{path}".replace("{id}", str(id)),
            "path_params": {} if id is None else {"id": str(id)},
            "query_string": urlencode(query or {}).encode(),
            "headers": [_JSON],
        }
        reply = await route.operation(Call(scope, give, self.database, principal))
        return parse_json(reply.body) if reply.body else None
