"""Last touches to the OpenAPI document that FastAPI makes: problems under their own media type, and who may call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from colonnade.api.problems import MEDIA_TYPE, PROBLEM_CONTENT, Problem
from colonnade.api.route import ResourceRoute, Runtime

_PASSWORD, _BEARER = "Password", "Bearer"  # the names of the schemes
_REFUSED = {"description": "The credentials do not hold", "content": PROBLEM_CONTENT}


def refine_openapi(app: FastAPI) -> None:
    """Have `app.openapi()` say what the wire really shows; the document is made once, as FastAPI makes it."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            if any(MEDIA_TYPE in response.get("content", {}) for response in _responses(document)):
                _add_problem(document)
            runtime: Runtime = app.state.colonnade
            if runtime.accounts is not None:
                _tell_who_may_call(app, document)
        return make()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _add_problem(document: dict[str, Any]) -> None:
    """Describe the problem document once; what refers to it does so by name (see `PROBLEM_CONTENT`)."""
    schema = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema


def _tell_who_may_call(app: FastAPI, document: dict[str, Any]) -> None:
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
    for route, operation in _operations(app, document["paths"]):
        operation.setdefault("responses", {}).setdefault("401", _REFUSED)
        if not route.apart:
            operation["security"] = [{}, {_PASSWORD: []}, {_BEARER: []}]
        elif getattr(route.operation, "signed_in", False):
            operation["security"] = [{_PASSWORD: []}, {_BEARER: []}]


def _operations(app: FastAPI, paths: Mapping[str, Any]) -> Iterator[tuple[ResourceRoute, dict[str, Any]]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, ResourceRoute):
            for method in context.methods or ():
                if (found := paths.get(context.path or "", {}).get(method.lower())) is not None:
                    yield route, found


def _responses(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict):
                yield from operation.get("responses", {}).values()
