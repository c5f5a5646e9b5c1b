"""The optional response wrapper of guide A (S15): `{success, data, error, metadata}` around what succeeded."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import FastAPI

from colonnade.api.reply import Reply
from colonnade.core.json import dump_json


def wrap(reply: Reply, app: FastAPI) -> Reply:
    """Wrap a reply; status and headers stay what they are.

    Problems are not wrapped: a client that reads `application/problem+json` needs no second envelope.
    """
    if not reply.body:
        return reply
    metadata = dump_json({"timestamp": datetime.now(UTC), "version": app.version})
    body = b'{"success":true,"data":' + reply.body + b',"error":null,"metadata":' + metadata + b"}"
    return Reply(reply.status, reply.headers, body)
