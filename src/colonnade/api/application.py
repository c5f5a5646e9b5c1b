"""The application factory, and what it does to any FastAPI application: `install`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from colonnade.api.batch_route import batch_router
from colonnade.api.docs_pages import add_docs_pages
from colonnade.api.error_pages import add_error_pages
from colonnade.api.health import ReadinessCheck, health_router
from colonnade.api.methods import StandardMethods, allowed_methods
from colonnade.api.middleware import middleware_stack
from colonnade.api.openapi import refine_openapi
from colonnade.api.problems import problem_response
from colonnade.api.resource import Resource
from colonnade.api.route import Runtime, refused_by_fastapi
from colonnade.api.shortcut import Shortcut
from colonnade.core.errors import (
    BodyTooLargeError,
    DeclarationError,
    ForbiddenError,
    MalformedBodyError,
    MediaTypeError,
    MethodNotAllowedError,
    NoSuchPathError,
    ProblemError,
    UnauthenticatedError,
)
from colonnade.core.sealing import Seal
from colonnade.core.settings import Settings, settings_or_exit
from colonnade.database.database import Database
from colonnade.models.base import Base

Versions = Mapping[str, Sequence[Resource | APIRouter]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_app(
    resources: Sequence[Resource | APIRouter] | Versions,
    *,
    database: Database | None = None,
    settings: Settings | None = None,
    checks: Sequence[ReadinessCheck] = (),
    lifespan: Lifespan | None = None,
    **fastapi: Any,
) -> FastAPI:
    """Make a whole application of resources: an ordinary `FastAPI` underneath.

    Args:
        resources: served as version `v1`, or a mapping of versions to them, the newest last; `/api/...` answers for that.
        database: theirs; made from `settings.database_url` when not given.
        settings: read from the environment when not given.
        checks: what must hold before `/health/ready` says so, beside the database's answer.
        lifespan: the application's own start and stop, inside the database's.
        fastapi: what `FastAPI(...)` takes: title, version, description, contact, license_info, ...

    Returns:
        The application: routes, documentation pages, health, middleware and error handlers in place. In development and
        test the tables of a database that has none are created when it starts; elsewhere that is what migrations are for.
    """
    settings = settings or settings_or_exit(Settings)
    database = database or Database(
        settings.database_url.get_secret_value(), pool=settings.pool, echo=settings.sql_echo, metadata=Base.metadata
    )
    app = FastAPI(
        telemetry=_telemetry(),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[*middleware_stack(settings), Middleware(StandardMethods)],
        lifespan=_lifespan(database, settings, lifespan),
        **fastapi,
    )
    versions = resources if isinstance(resources, Mapping) else {"v1": resources}
    for number, (version, parts) in enumerate(versions.items(), 1):
        _include(app, f"{settings.api_prefix}/{version}", parts, shown=True)
        if number == len(versions):
            _include(app, settings.api_prefix, parts, shown=False)
    app.include_router(health_router(checks=checks))
    add_docs_pages(app)
    add_error_pages(app)
    # The key that everybody knows does in development: a cursor grants nothing, and every worker takes it.
    key = settings.secret_key.get_secret_value()
    install(app, database, response_wrapper=settings.response_wrapper, secret_key=key)
    return app


def install(app: FastAPI, database: Database, *, response_wrapper: bool = False, secret_key: str | None = None) -> None:
    """Give an existing FastAPI application a database for its resource routers, problem documents, and the shortcut.

    Args:
        app: before its first request.
        database: what its resources are stored in; disposing of it is the application's own affair.
        response_wrapper: put guide A's `{success, data, error, metadata}` around what succeeds (S15).
        secret_key: seals cursors; the same in every worker. Without one each process has a key of its own.
    """
    app.state.database = database
    app.state.colonnade = Runtime(database, wrapped=response_wrapper)
    if secret_key is not None:
        app.state.colonnade.seal = Seal(secret_key.encode())
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    refine_openapi(app)
    # Innermost, so that every middleware of the application's own has seen the request.
    app.user_middleware.append(Middleware(Shortcut))


def _telemetry() -> TelemetryConfig:
    """Leave FastAPI's telemetry to those who installed OpenTelemetry's SDK; asking for it costs every request 6 us."""
    wanted = find_spec("opentelemetry.sdk") is not None
    return {"tracing": wanted, "metrics": wanted, "logs": wanted}


def _include(app: FastAPI, prefix: str, parts: Sequence[Resource | APIRouter], *, shown: bool) -> None:
    for part in parts:
        router: object = part.router if isinstance(part, Resource) else part
        if not isinstance(router, APIRouter):
            name = getattr(part, "__name__", repr(part))
            raise DeclarationError(f"{name} is neither a Resource nor a router; give Resource({name})")
        app.include_router(router, prefix=prefix, include_in_schema=shown)
    keys = next((part.keys for part in parts if isinstance(part, Resource) and part.keys is not None), None)
    app.include_router(batch_router(keys), prefix=prefix, include_in_schema=shown)


def _lifespan(database: Database, settings: Settings, own: Lifespan | None) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.dispose)
            await database.start(create_tables=settings.env in {"development", "test"})
            if settings.env in {"staging", "production"}:
                _settle_heap(stack)
            yield None if own is None else await stack.enter_async_context(own(app))

    return lifespan


def _settle_heap(stack: AsyncExitStack) -> None:
    """Keep the collector away from what was made at the start and stays (`gc.freeze`).

    A third of a list's time went into looking through a hundred thousand classes, plans and routes again and again.
    """
    gc.collect()
    gc.freeze()
    stack.callback(gc.unfreeze)


def _answer(error: ProblemError, request: Request) -> Response:
    status, headers, body = problem_response(error, request.scope)
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # registered for it
    return _answer(error, request)


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for it
    return _answer(refused_by_fastapi(error), request)


_BY_STATUS: dict[int, type[ProblemError]] = {
    400: MalformedBodyError,
    403: ForbiddenError,
    413: BodyTooLargeError,
    415: MediaTypeError,
}


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answer Starlette's own refusals, and those that an endpoint raises as `HTTPException`, as problems too."""
    assert isinstance(error, HTTPException)  # registered for it
    status, detail = error.status_code, str(error.detail)
    if status == 404 and request.scope.get("route") is None:
        return _answer(NoSuchPathError(), request)
    if status == 405:
        methods = ", ".join(allowed_methods(request.app, request.scope))
        return _answer(MethodNotAllowedError(f"Allowed are: {methods}.", headers={"Allow": methods}), request)
    if status == 401:
        return _answer(UnauthenticatedError(detail), request)
    problem = _BY_STATUS.get(status, _generic(status))(detail, headers=error.headers)
    return _answer(problem, request)


def _generic(status: int) -> type[ProblemError]:
    """Any other status that an endpoint of the user's raises: `about:blank` in all but name (RFC 9457 §4.2.1)."""
    title = HTTPException(status).detail
    return type("EndpointError", (ProblemError,), {"code": f"HTTP{status}", "status": status, "title": title})
