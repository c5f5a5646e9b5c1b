"""The last word: whatever nobody foresaw becomes one log entry and one generic answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.middleware.answer import answer_problem
from colonnade.api.middleware.request_id import request_id_of
from colonnade.core.errors import InternalError, ProblemError
from colonnade.core.trace import TRACE, Trace
from colonnade.database.advice import advice

_log = logging.getLogger("colonnade.api")


class CatchAll:
    """Log an unhandled exception with its traceback and request id, and answer a 500 that says nothing but the id.

    The exception ends here. Starlette's own `ServerErrorMiddleware`, outside of this, would answer and raise it again,
    so that the server logs it a second time without the id. When the answer had already begun it can't be taken back:
    nothing more is sent, and the server, which sees an unfinished answer, closes the connection, so that the client
    can tell. A `ProblemError` that comes this far, from a middleware say, is answered as what it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and answer for it when it fails (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # `StandardHeaders` notes when an answer begins; a second wrapper around `send` would cost every request for it.
        trace: Trace | None = scope.get(TRACE)
        if trace is None:
            trace = Trace("")
            send = _noting(send, trace)
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            return  # nobody is left to answer, and nothing went wrong here
        except Exception as error:
            problem = error if isinstance(error, ProblemError) else InternalError()
            started = trace.status is not None
            if started or problem is not error:
                _log_unhandled(error, scope)
            if not started:
                await answer_problem(problem, scope, send)


def _noting(send: Send, trace: Trace) -> Send:
    def watch(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            trace.status = message["status"]
        return send(message)

    return watch


def _log_unhandled(error: Exception, scope: Scope) -> None:
    # The path as repr: it is decoded, so it may hold line breaks. The query stays out: it may hold somebody's data.
    method, path, request_id = scope["method"], scope["path"], request_id_of(scope)
    told = {"request_id": request_id, "method": method, "path": path}
    if hint := advice(error):
        told["hint"] = hint
    _log.error("unhandled exception in %s %r, request %s", method, path, request_id, exc_info=error, extra=told)
