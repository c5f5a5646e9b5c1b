"""What the routes of API keys do; only whoever has signed in himself may use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from colonnade.api.accounts.bearer import required_token
from colonnade.api.accounts.operations import read_json, services_of, signed_in
from colonnade.api.operations import Call
from colonnade.api.reply import NOT_STORED, Reply
from colonnade.core.json import dump_json
from colonnade.query.parse import refuse_parameters
from colonnade.query.refusals import refuse_parameter
from colonnade.schemas.accounts import ApiKeyCreate

_MAX_DIGITS = 18
"""Of an id: what any database holds."""


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """POST of a name and scopes."""

    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Make an API key for a machine. Its text is in this answer and nowhere else."""
        await signed_in(call)
        body, services = await read_json(call, ApiKeyCreate), services_of(call)
        session = services.authentication.claims_of(required_token(call.scope)).session
        key, text = await services.api_keys.create(call.database, session, body)
        place = f"{call.scope['path']}/{key.id}".encode()
        return Reply(201, (NOT_STORED, (b"location", place)), dump_json({**key._asdict(), "key": text}))


@dataclass(frozen=True, slots=True)
class ListApiKeys:
    """GET of all."""

    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """List the account's API keys, without their secrets."""
        refuse_parameters(call.scope["query_string"])
        principal = await signed_in(call)
        found = await services_of(call).api_keys.all(call.database, principal.id)
        rows = [key._asdict() for key in found]
        return Reply(200, (NOT_STORED,), dump_json({"api_keys": rows, "total": len(rows)}))


@dataclass(frozen=True, slots=True)
class RevokeApiKey:
    """DELETE of one."""

    apart: ClassVar[bool] = True
    signed_in: ClassVar[bool] = True

    async def __call__(self, call: Call) -> Reply:
        """Revoke an API key; the very next request with it is refused."""
        refuse_parameters(call.scope["query_string"])
        principal = await signed_in(call)
        if not (call.id.isascii() and call.id.isdigit() and len(call.id) <= _MAX_DIGITS):
            refuse_parameter("id", "integer_expected", "Expected a whole number from 1.")
        await services_of(call).api_keys.revoke(call.database, principal.id, int(call.id))
        return Reply(204, (NOT_STORED,))
