"""What a developer may look at while the application runs: plans, sessions, the pool, the database's connections.

All of it is there in development only, and then for an administrator; without accounts, for whoever sits at this machine. To
anybody else the paths do not exist and the header means nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from colonnade.api.metrics import is_local
from colonnade.api.middleware.answer import answer_problem
from colonnade.api.route import runtime_of
from colonnade.core.errors import MalformedHeaderError, NoSuchPathError, ProblemError
from colonnade.core.json import dump_json
from colonnade.core.trace import RanStatement, Trace, current_trace, set_trace
from colonnade.database.activity import active_connections
from colonnade.database.database import Database
from colonnade.database.plans import explain
from colonnade.database.sessions import open_sessions
from colonnade.observation.database_figures import pool_state
from colonnade.services.accounts.administrator import ROLE

_HEADER = b"x-explain"


async def may_debug(scope: Scope) -> bool:
    """Tell whether a request comes from somebody who may look inside."""
    runtime = runtime_of(scope["app"])
    if runtime.authenticate is None:
        return is_local(scope)
    try:
        principal = await runtime.who(scope)
    except ProblemError:
        return False
    return principal.role == ROLE and principal.scopes is None  # a key is confined to its scopes, and none is for this


def debug_router() -> APIRouter:
    """Make the router of `/debug/...`; it belongs at the root, and into development only."""
    router = APIRouter(prefix="/debug", include_in_schema=False)

    async def pool(database: Database) -> dict[str, Any]:
        return {"pool": pool_state(database), "events": database.pool_events.shown()}

    async def connections(database: Database) -> dict[str, Any]:
        return {"connections": await active_connections(database)}

    async def sessions(database: Database) -> dict[str, Any]:
        return {"sessions": [state._asdict() for state in open_sessions(database)]}

    for path, look in (("/pool", pool), ("/connections", connections), ("/sessions", sessions)):
        router.add_api_route(path, _endpoint(look), methods=["GET"])
    return router


def _endpoint(look: Callable[[Database], Awaitable[dict[str, Any]]]) -> Callable[..., Any]:
    async def endpoint(request: Request) -> Response:
        if not await may_debug(request.scope):
            raise NoSuchPathError
        return _json(await look(runtime_of(request.app).database))

    return endpoint


def _json(document: object) -> Response:
    return Response(dump_json(document), media_type="application/json", headers={"Cache-Control": "no-store"})


class Explain:
    """Answer a GET with `X-Explain: analyze` by the statements that it ran and the plan of each, as measured (S54).

    The request is carried out as ever, and what it would have answered is put aside; each SELECT of it is then run once more
    under the database's own measuring. A request that is refused is refused as ever.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look for the header, and pass everything else on (ASGI)."""
        wanted = next((value for name, value in scope.get("headers", ()) if name == _HEADER), None)
        trace = current_trace()
        if scope["type"] != "http" or wanted is None or trace is None or not await may_debug(scope):
            await self.app(scope, receive, send)
        elif wanted != b"analyze" or scope["method"] != "GET":
            await answer_problem(MalformedHeaderError("'X-Explain' is 'analyze', on a GET."), scope, send)
        else:
            await self._explain(trace, scope, receive, send)

    async def _explain(self, trace: Trace, scope: Scope, receive: Receive, send: Send) -> None:
        trace.ran, messages = [], list[Message]()

        async def put_aside(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, put_aside)
        ran, trace.ran = trace.ran, None
        if not messages or messages[0].get("status", 500) >= 400:
            for message in messages:
                await send(message)
            return
        database = runtime_of(scope["app"]).database
        set_trace(None)  # what is asked from here on is no part of the request
        statements = [await _explained(database, statement) for statement in ran]
        set_trace(trace)
        document = {"route": trace.place(), "status": messages[0]["status"], "statements": statements}
        await _json(document)(scope, receive, send)


async def _explained(database: Database, ran: RanStatement) -> dict[str, Any]:
    arguments = ran.arguments.items() if isinstance(ran.arguments, dict) else enumerate(ran.arguments or (), 1)
    return {
        "sql": ran.sql,
        "arguments": {str(name): repr(value) for name, value in arguments},
        "ms": round(ran.seconds * 1e3, 3),
        "plan": await explain(database, ran.sql, ran.arguments, analyze=True),
    }
