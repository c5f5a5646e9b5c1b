"""A real server of a resource with a column of every kind, asked whatever its OpenAPI document allows and more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from colonnade import Database
from tests.library import Shelf, library_app
from tests.magazine import magazine_app
from tests.serving import serving
from tests.workshop import Bench, workshop_resources


@pytest.fixture(scope="module")
def document() -> Iterator[BaseSchema]:
    """The server's own document."""
    with serving(library_app(Database("sqlite://", metadata=Shelf.metadata))) as port:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")


@pytest.fixture(scope="module")
def recorded() -> Iterator[BaseSchema]:
    """The document of a server whose rows keep a history; there is one row."""
    app = magazine_app(Database("sqlite://", metadata=Bench.metadata), workshop_resources())
    with serving(app) as port:
        address = f"http://127.0.0.1:{port}"
        headers = {"X-Account": "1 admin"}
        for path, body in (("tools", {"name": "Saw"}), ("tool-parts", {"name": "blade", "tool_id": 1})):
            assert httpx.post(f"{address}/api/v1/{path}", json=body, headers=headers).status_code == 201
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


OPERATIONS = [
    (method, path)
    for path, methods in library_app(Database("sqlite://", metadata=Shelf.metadata)).openapi()["paths"].items()
    for method in methods
    if path.startswith("/api/v1/")
]


LIMIT = 1 << 62
LONG = 12_000


def _beyond_words(method: str, path: str) -> list[Any]:
    """Give the checks that ask more of JSON Schema than it can say.

    A list's grammar: what a comma list holds, which paging words go together. Of bulk routes: that no two items are of one
    row, what a filter may name, that an item that does not fit is told inside of a 207. Of a batch: which paths there are.
    """
    if "/bulk" in path or path.endswith("/batch"):
        return [positive_data_acceptance, negative_data_rejection]
    return [positive_data_acceptance] if method == "get" else []


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_surprises(document: BaseSchema, method: str, path: str, mode: GenerationMode) -> None:
    """Every answer is as documented, whatever is sent: its status, media type, headers and body; never a 500."""
    ask_all(document, method, path, mode)


@pytest.mark.parametrize("mode", GenerationMode)
def test_no_question_about_the_past_surprises(recorded: BaseSchema, mode: GenerationMode) -> None:
    """Nor is any answer of a history: its pages are those of a list."""
    ask_all(recorded, "get", "/api/v1/tool-parts/{id}/history", mode)


def ask_all(document: BaseSchema, method: str, path: str, mode: GenerationMode) -> None:
    """Send what Hypothesis draws, and hold each answer to the document."""

    @settings(
        max_examples=20,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(document[path][method].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        sold = case.body.get("sold", 0) if isinstance(case.body, dict) else 0
        if isinstance(sold, int) and not -LIMIT <= sold < LIMIT:
            return  # schemathesis reckons the largest number of 64 bits in doubles
        if "\\u0000" in json.dumps(case.body, default=str):
            return  # no JSON Schema says what text a database stores
        if len(urlencode(case.query or {}, doseq=True)) > LONG:
            return  # the server's own parser refuses it with 431, before there is a route that could document that
        beyond = _beyond_words(method, path)
        if "If-Match" in (case.headers or {}):  # a tag that the row does not have is 412, and no document knows the tag
            beyond.append(positive_data_acceptance)
        case.call_and_validate(excluded_checks=beyond)

    ask()
