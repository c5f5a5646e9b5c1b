"""Answering a problem from outside the routes, where there is no exception handler."""

from __future__ import annotations

from starlette.types import Scope, Send

from colonnade.api.problems import problem_response
from colonnade.core.errors import ProblemError


async def answer_problem(error: ProblemError, scope: Scope, send: Send) -> None:
    """Send an error as a whole answer: its problem document (RFC 9457) under its status and headers."""
    status, headers, body = problem_response(error, scope)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
