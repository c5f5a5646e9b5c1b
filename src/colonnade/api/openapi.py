"""Last touches to the OpenAPI document that FastAPI makes: problems under their own media type, decimals as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from colonnade.api.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def refine_openapi(app: FastAPI) -> None:
    """Have `app.openapi()` say what the wire really shows; the document is made once, as FastAPI makes it."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            for response in _responses(document):
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema") == _PROBLEM:
                    response["content"] = {MEDIA_TYPE: content["application/json"]}
        return make()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _responses(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict):
                yield from operation.get("responses", {}).values()
