"""Last touches to the OpenAPI document that FastAPI makes: problems under their own media type, and who may call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from fastapi.utils import generate_unique_id

from colonnade.api.answer_headers import ALL_HEADERS, headers_everywhere
from colonnade.api.endpoint_route import innermost
from colonnade.api.middleware.rate_limit import EXEMPT
from colonnade.api.operation_ids import Operation, shorten
from colonnade.api.operations import Governed
from colonnade.api.problems import MEDIA_TYPE, PROBLEM_CONTENT, Problem
from colonnade.api.route import ResourceRoute, Runtime
from colonnade.core.errors import UnauthenticatedError
from colonnade.policy.principal import ANONYMOUS

Document = dict[str, Any]

_PASSWORD, _BEARER = "Password", "Bearer"  # the names of the schemes
_SIGNED_IN: list[Mapping[str, list[str]]] = [{_PASSWORD: []}, {_BEARER: []}]
_UNLIMITED = headers_everywhere(limited=False)
_REFUSED = {"description": "The credentials do not hold", "content": PROBLEM_CONTENT}


class _Told(NamedTuple):
    """An operation of a resource's route, or of accounts, as the document tells of it."""

    context: RouteContext
    route: ResourceRoute
    described: Document


def refine_openapi(app: FastAPI) -> None:
    """Have `app.openapi()` say what the wire really shows; the document is made once, as FastAPI makes it."""
    make = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            _refine(app, make())
        return make()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _refine(app: FastAPI, document: Document) -> None:
    runtime: Runtime = app.state.colonnade
    told = list(_operations(app, document["paths"]))
    if any(MEDIA_TYPE in response.get("content", {}) for response in _responses(document)):
        _add_problem(document)
    if runtime.accounts is not None:
        _tell_who_may_call(told, document)
    _shorten_ids(told, document)
    _name_headers(document, runtime.headers)


def _add_problem(document: Document) -> None:
    """Describe the problem document once; what refers to it does so by name (see `PROBLEM_CONTENT`)."""
    schema = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema


def _tell_who_may_call(told: list[_Told], document: Document) -> None:
    """Describe how a request says whose it is: the Authorize button of the documentation page reads this."""
    token_url = next((path for path in document["paths"] if path.endswith("/auth/token")), None)
    if token_url is None:
        return
    document.setdefault("components", {})["securitySchemes"] = {
        _PASSWORD: {"type": "oauth2", "flows": {"password": {"tokenUrl": token_url, "scopes": {}}}},
        _BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token, or the API key of a machine (`cln_...`).",
        },
    }
    for _, route, described in told:
        described.setdefault("responses", {}).setdefault("401", _REFUSED)
        if _wants_somebody(route):
            described["security"] = _SIGNED_IN
        elif not route.apart:
            described["security"] = [{}, *_SIGNED_IN]


def _wants_somebody(route: ResourceRoute) -> bool:
    """Tell whether nobody gets an answer of a route who has not signed in."""
    operation = innermost(route.operation)
    if isinstance(operation, Governed):
        try:
            operation.permit(ANONYMOUS)
        except UnauthenticatedError:
            return True
    return bool(getattr(operation, "signed_in", False))


def _shorten_ids(told: list[_Told], document: Document) -> None:
    """Name the operations, unless the application has said how (FastAPI's `generate_unique_id_function`)."""
    ours = [
        Operation(route.name, route.path, context.path or "", described)
        for context, route, described in told
        if described["operationId"] == generate_unique_id(context)  # type: ignore[arg-type]  # it has what is asked for
    ]
    long = {one.described["operationId"] for one in ours}
    shorten(ours, [id for one in _every(document) if (id := str(one.get("operationId"))) not in long])


def _name_headers(document: Document, everywhere: Mapping[str, Any]) -> None:
    """Describe each header once, and name those that every answer has in every response."""
    named: Document = {}
    for path, operations in document["paths"].items():
        usual = (
            everywhere if path not in EXEMPT else {name: everywhere[name] for name in everywhere if name in _UNLIMITED}
        )
        for response in _responses({"paths": {path: operations}}):
            found = {**response.get("headers", {}), **usual}
            named |= (ours := {name: found[name] for name in found if found[name] == ALL_HEADERS.get(name)})
            if found:
                response["headers"] = found | {name: {"$ref": f"#/components/headers/{name}"} for name in ours}
    if named:
        document.setdefault("components", {})["headers"] = dict(sorted(named.items()))


def _operations(app: FastAPI, paths: Mapping[str, Any]) -> Iterator[_Told]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, ResourceRoute):
            for method in context.methods or ():
                if (found := paths.get(context.path or "", {}).get(method.lower())) is not None:
                    yield _Told(context, route, found)


def _every(document: Document) -> Iterator[Document]:
    for path in document.get("paths", {}).values():
        yield from (operation for operation in path.values() if isinstance(operation, dict))


def _responses(document: Document) -> Iterator[Document]:
    for operation in _every(document):
        yield from operation.get("responses", {}).values()
