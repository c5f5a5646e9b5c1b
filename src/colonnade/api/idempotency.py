"""The `Idempotency-Key` header: read, checked, and put around an operation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from starlette.types import Scope

from colonnade.api.operations import Call, Governed, Operation
from colonnade.api.reply import Reply
from colonnade.core.errors import Fault, MalformedHeaderError
from colonnade.database.database import Database
from colonnade.services.idempotency import Answer, IdempotencyKeys, Keyed

_HEADER = b"idempotency-key"
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_REPLAYED = (b"idempotency-replayed", b"true")


@dataclass(frozen=True, slots=True)
class Idempotent:
    """An operation that a client may repeat without doing it twice; without the header it is what it was."""

    operation: Operation
    keys: IdempotencyKeys

    async def __call__(self, call: Call) -> Reply:
        """Answer as the operation does, or as it did."""
        key = read_key(call.scope)
        if key is None:
            return await self.operation(call)
        if isinstance(self.operation, Governed):
            self.operation.permit(call.principal)  # who may no longer do it is not told again what came of it
        body = await call.body()

        async def again() -> bytes:
            return body

        async def work(database: Database) -> Answer:
            return Answer(*await self.operation(call._replace(body=again, database=database)))

        answer = await self.keys.answer(call.database, _keyed(call, key, body), work)
        return Reply(answer.status, (*answer.headers, _REPLAYED) if answer.again else answer.headers, answer.body)


def read_key(scope: Scope) -> bytes | None:
    """Read the header.

    Raises:
        MalformedHeaderError: CLN102, it is not 1 to 255 visible characters, or stands twice.
    """
    found: list[bytes] = [value for name, value in scope["headers"] if name == _HEADER]
    if not found:
        return None
    if len(found) > 1 or not _KEY.fullmatch(found[0]):
        fault = Fault("idempotency_key", "1 to 255 visible ASCII characters, once.", parameter="Idempotency-Key")
        raise MalformedHeaderError("'Idempotency-Key' must be 1 to 255 visible ASCII characters.", faults=[fault])
    return found[0]


def key_header() -> dict[str, Any]:
    """Describe the header."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "description": "Repeated within 24 hours, the request is answered as it was the first time, and not done again.",
    }


def _keyed(call: Call, key: bytes, body: bytes) -> Keyed:
    """Tell the request by who asks for what with which key, and what is asked by query and body.

    The key goes into both. It is stored nowhere, so that a password in a body can't be found by trying digests.
    """
    scope = call.scope
    names = (call.principal.key, scope["method"], scope["path"], key.decode("ascii"))
    return Keyed(
        _digest(*(name.encode("utf-8", "surrogateescape") for name in names)),
        _digest(key, scope["query_string"], body),
    )


def _digest(*parts: bytes) -> str:
    digest = blake2b(digest_size=32)
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return digest.hexdigest()
