"""Telling FastAPI of an endpoint: the route, its function on the ordinary way, and what OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, BeforeValidator

from colonnade.api.caching import Cached
from colonnade.api.endpoint import Endpoint
from colonnade.api.idempotency import Idempotent, key_header
from colonnade.api.limited import Limited
from colonnade.api.operation_ids import snake
from colonnade.api.operations import GetRow, ListRows, Operation
from colonnade.api.route import ResourceRoute, get_database, run_operation
from colonnade.database.database import Database
from colonnade.limits.rate import Rate
from colonnade.schemas.json_kinds import json_validator
from colonnade.services.idempotency import IdempotencyKeys


def add_route(
    router: APIRouter,
    endpoint: Endpoint,
    name: str,
    parameters: Sequence[dict[str, Any]],
    keys: IdempotencyKeys | None,
    rate: Rate | None = None,
) -> None:
    """Add an endpoint to a router.

    Args:
        router: of the resource.
        endpoint: what is done there.
        name: of the resource, for the limits of its own.
        parameters: as OpenAPI describes them.
        keys: where the answers to POST and PATCH with an `Idempotency-Key` are kept; None when they take none.
        rate: how often each client may ask for what this method does here; None for as often as for anything.
    """
    operation, described = endpoint.operation, list(parameters)
    if keys is not None and endpoint.method in {"POST", "PATCH"}:
        operation = Idempotent(operation, keys)
        described.append(key_header())
    if endpoint.caching is not None and isinstance(operation, ListRows | GetRow):
        operation = Cached(operation, endpoint.caching)
    if rate is not None:
        operation = Limited(operation, f"{name}-{endpoint.method.lower()}", rate)
    router.add_api_route(
        endpoint.path,
        _function(operation, endpoint.body),
        methods=[endpoint.method],
        status_code=endpoint.success,
        response_model=endpoint.shown,
        summary=endpoint.summary,
        description=(type(endpoint.operation).__call__.__doc__ or "").strip(),
        name=endpoint.name or snake(type(endpoint.operation).__name__),
        responses=endpoint.answers(),
        openapi_extra=_extra(endpoint, described),
        route_class_override=ResourceRoute,
    )
    route = router.routes[-1]
    assert isinstance(route, ResourceRoute)  # it was just added as one
    route.operation, route.body_schema, route.apart = operation, endpoint.body, endpoint.apart
    route.governed = endpoint.is_governed


def innermost(operation: Operation) -> Operation:
    """Give what a route does, without what stands around it."""
    while isinstance(operation, Cached | Limited | Idempotent):
        operation = operation.operation
    return operation


def _extra(endpoint: Endpoint, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    body = {} if endpoint.request_body is None else {"requestBody": endpoint.request_body}
    return {"parameters": parameters, **body}


def _function(operation: Operation, body: type[BaseModel] | None) -> Callable[..., Any]:
    """Make the endpoint of FastAPI's ordinary way; its signature also tells OpenAPI of the body."""
    if body is None:

        async def endpoint(request: Request, database: Annotated[Database, Depends(get_database)]) -> Response:
            return await run_operation(operation, request, database)

        return endpoint

    async def endpoint_with_body(
        request: Request, database: Annotated[Database, Depends(get_database)], body: Any
    ) -> Response:
        return await run_operation(operation, request, database)

    # FastAPI reads the body as the operation does, so that a schema that is declared strict takes JSON's dates here too.
    strictly = BeforeValidator(lambda value: json_validator(body).validate_python(value))
    endpoint_with_body.__annotations__.update(
        request=Request, database=Annotated[Database, Depends(get_database)], body=Annotated[body, strictly, Body()]
    )
    return endpoint_with_body
