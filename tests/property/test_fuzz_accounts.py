"""The routes of accounts on a real server, asked whatever their document allows and more, with a token and without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.main import build
from colonnade import Base, Database, Settings
from tests.serving import serving
from tests.shop import PASSWORD

USER = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}


def shop() -> FastAPI:
    """Make the reference application, without limits: the examples are many, and from one address."""
    given = Settings(env="test", rate_limit=None, login_limit=None, _env_file=None)  # type: ignore[call-arg]
    return build(given, Database("sqlite://", metadata=Base.metadata))


OPERATIONS = [
    (method, path)
    for path, methods in shop().openapi()["paths"].items()
    for method in methods
    if "/auth/" in path or path.endswith("/users/me")
]
SIGNED_IN = ("/me", "/logout", "/password", "/api-keys", "/api-keys/{id}")


class Server(NamedTuple):
    """Where it is, and what it says of itself."""

    url: str
    document: BaseSchema

    def header(self) -> dict[str, str]:
        """Sign in anew: an example may have ended every session."""
        answer = httpx.post(f"{self.url}/api/v1/auth/token", data=USER)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real server with one user."""
    with serving(shop()) as port:
        url = f"http://127.0.0.1:{port}"
        assert httpx.post(f"{url}/api/v1/users", json=USER).status_code == 201
        yield Server(url, schemathesis.openapi.from_url(f"{url}/openapi.json"))


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_surprises(server: Server, method: str, path: str, mode: GenerationMode) -> None:
    """S17, S78: every answer is as documented, whatever is sent: its status, media type, headers and body; never a 500."""

    @settings(
        max_examples=6,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(server.document[path][method].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if "\\u0000" in json.dumps(case.body, default=str) or "fields" in (case.query or {}):
            return  # no JSON Schema says what text a database stores, nor what a view leaves out
        # What holds, a token or a link, no document knows.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])
        if path.endswith(SIGNED_IN):
            case.call_and_validate(headers=server.header(), excluded_checks=[positive_data_acceptance])

    ask()
