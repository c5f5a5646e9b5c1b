"""A resource's route: an ordinary `APIRoute` to FastAPI, and a shorter way to its operation where nothing stands between.

FastAPI solves dependencies, validates and serializes anew at every request, which is nine tenths of a keyed read. A route
that has no dependencies, in an application that overrides none, answers by itself; any other goes FastAPI's ordinary way
and calls the same operation there.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from colonnade.api.body import parse_body, read_body, require_json
from colonnade.api.exceptions import problem_of_http, problem_reply, refused_by_fastapi
from colonnade.api.operations import Call, Operation
from colonnade.api.problems import problem_response
from colonnade.api.reply import NOT_STORED
from colonnade.api.route_table import placed_routes
from colonnade.api.wrapper import wrap
from colonnade.cache import Answers
from colonnade.cache.memory import MemoryEntries
from colonnade.core.errors import DeclarationError, ProblemError
from colonnade.core.json import parse_json
from colonnade.core.sealing import Seal
from colonnade.core.trace import current_trace
from colonnade.database.database import Database
from colonnade.jobs.declaration import Job
from colonnade.limits.limits import Limits
from colonnade.observation.figures import Figures, Source
from colonnade.policy.principal import ANONYMOUS, Principal
from colonnade.services.accounts.services import AccountServices

Authenticate: TypeAlias = "Callable[[Scope, Database], Awaitable[Principal]]"
Handler: TypeAlias = "Callable[[Request], Coroutine[Any, Any, Response]]"


@dataclass(slots=True)
class Runtime:
    """What a route has to know of the application that it answers in.

    Attributes:
        database: what its resources are stored in.
        wrapped: guide A's response wrapper is on.
        seal: proves and hides what a client carries for the application, cursors for one.
        authenticate: tells who sends a request; None where there are no accounts.
        limits: count requests, where a rate is declared.
        answers: those that are cached; None where nothing is.
        accounts: what the account routes do.
        jobs: what the application's worker runs.
        runs_jobs: this process has one.
        guarded: ids of the routes that dependencies of the user's stand before; None until first asked for.
        figures: what `/metrics` tells; add a source to it.
        headers: those that every answer has, as OpenAPI describes them.
    """

    database: Database
    wrapped: bool = False
    seal: Seal = field(default_factory=lambda: Seal(secrets.token_bytes()))
    authenticate: Authenticate | None = None
    limits: Limits = field(default_factory=Limits)
    answers: Answers | None = field(default_factory=lambda: Answers(MemoryEntries()))
    accounts: AccountServices | None = None
    jobs: Sequence[Job[...]] = ()
    runs_jobs: bool = False
    guarded: frozenset[int] | None = None
    figures: Figures = field(default_factory=Figures)
    headers: Mapping[str, Any] = field(default_factory=dict)

    async def who(self, scope: Scope) -> Principal:
        """Tell who sends a request; found out once, for its limit, its route and `request.state.principal`.

        Raises:
            UnauthenticatedError: CLN300, it carries credentials that do not hold.
        """
        if self.authenticate is None:
            return ANONYMOUS
        state = scope.setdefault("state", {})
        known: Principal | None = state.get("principal")
        if known is None:
            began = perf_counter()
            known = state["principal"] = await self.authenticate(scope, self.database)
            if (trace := current_trace()) is not None:
                trace.access_seconds += perf_counter() - began
                trace.principal = known.key
        return known

    def lets_through(self, route: ResourceRoute, app: FastAPI) -> bool:
        """Tell whether nothing of the user's stands between the server and a route's operation."""
        if app.dependency_overrides:
            return False
        if self.guarded is None:
            self.guarded = _find_guarded(app)
        return id(route) not in self.guarded


class ResourceRoute(APIRoute):
    """One operation of a resource; `resource_route` makes them."""

    operation: Operation
    body_schema: type[BaseModel] | None = None
    governed: bool = False
    """A policy says who may."""
    model: type[DeclarativeBase] | None = None
    """Whose rows it is about; None for a route that is no resource's."""
    apart: bool = False
    """It asks for credentials by itself, is never wrapped, and is no part of a batch: the routes of accounts."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the shorter way where it is allowed, by FastAPI's otherwise."""
        app = scope["app"]
        runtime: Runtime | None = getattr(app.state, "colonnade", None)
        if runtime is not None and scope["method"] in (self.methods or ()) and runtime.lets_through(self, app):
            await self.answer(runtime, scope, receive, send)
        else:
            await super().handle(scope, receive, send)

    async def answer(self, runtime: Runtime, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the operation and send its reply; a refusal is sent as a problem document."""
        principal = ANONYMOUS
        try:
            if not self.apart:
                principal = await runtime.who(scope)
            reply = await self.operation(Call(scope, partial(read_body, receive), runtime.database, principal))
        except ProblemError as error:
            status, headers, body = problem_response(error, scope)
            if principal is not ANONYMOUS:
                headers.append(NOT_STORED)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        if principal is not ANONYMOUS:
            reply = reply.for_principal()
        await (wrap(reply, scope["app"]) if runtime.wrapped and not self.apart else reply).send(send)

    def get_route_handler(self) -> Handler:
        """Let FastAPI solve the dependencies, and say its refusals in our words."""
        solve = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await self._solved(solve, request)
            except ProblemError as error:
                return problem_reply(error, request.scope)
            except HTTPException as error:  # of a dependency of the user's
                return problem_reply(problem_of_http(error, request.scope), request.scope)

        return handler

    async def _solved(self, solve: Handler, request: Request) -> Response:
        """Check the body's syntax first, as FastAPI does, and its schema only where FastAPI refuses it, in our words."""
        if self.body_schema is not None:
            require_json(request.scope)
            parse_json(await request.body())
        try:
            return await solve(request)
        except RequestValidationError as error:
            if self.body_schema is not None:
                parse_body(self.body_schema, await request.body())
            raise refused_by_fastapi(error) from error


def runtime_of(app: FastAPI) -> Runtime:
    """Find what an application was installed with.

    Raises:
        DeclarationError: it never was.
    """
    try:
        return app.state.colonnade  # type: ignore[no-any-return]
    except AttributeError:
        raise DeclarationError(
            "the application has no database; use create_app(database=...) or install(app, database=...)"
        ) from None


def add_figures(app: FastAPI, source: Source) -> None:
    """Have `/metrics` tell further figures: what `source` gives whenever it is asked, of this process.

    Several workers' figures are added up.
    """
    runtime_of(app).figures.sources.append(source)


def get_database(request: Request) -> Database:
    """Dependency: the application's database; override it to test against another."""
    return runtime_of(request.app).database


async def run_operation(operation: Operation, request: Request, database: Database) -> Response:
    """Call an operation from an ordinary endpoint of FastAPI's."""
    runtime: Runtime | None = getattr(request.app.state, "colonnade", None)
    apart = runtime is None or getattr(operation, "apart", False)
    principal = ANONYMOUS if runtime is None or apart else await runtime.who(request.scope)
    reply = await operation(Call(request.scope, request.body, database, principal))
    if principal is not ANONYMOUS:
        reply = reply.for_principal()
    if runtime is not None and runtime.wrapped and not apart:
        reply = wrap(reply, request.app)
    response = Response(reply.body or None, reply.status)
    if reply.status != 204:
        response.headers["content-type"] = "application/json"
    response.raw_headers.extend(reply.headers)
    return response


def _find_guarded(app: FastAPI) -> frozenset[int]:
    return frozenset(
        id(placed.route)
        for placed in placed_routes(app)
        if placed.is_guarded and isinstance(placed.route, ResourceRoute)
    )
