"""The application factory, and what it does to any FastAPI application: `install`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from colonnade.api.accounts.accounts import Accounts
from colonnade.api.answer_headers import headers_everywhere
from colonnade.api.asgi import Application
from colonnade.api.batch_route import batch_router
from colonnade.api.debugging import Explain, debug_router
from colonnade.api.docs_pages import add_docs_pages
from colonnade.api.error_pages import add_error_pages
from colonnade.api.exceptions import answer_problem_error, answer_with_problems
from colonnade.api.health import ReadinessCheck, health_router
from colonnade.api.methods import StandardMethods
from colonnade.api.metrics import metrics_router
from colonnade.api.middleware import middleware_stack
from colonnade.api.open_routes import require_policies
from colonnade.api.openapi import refine_openapi
from colonnade.api.resource import Resource
from colonnade.api.route import Runtime, runtime_of
from colonnade.api.shortcut import Shortcut
from colonnade.api.telemetry import telemetry_config, trace_statements
from colonnade.cache import Answers
from colonnade.cache.choice import open_answers
from colonnade.core.errors import DeclarationError, ProblemError
from colonnade.core.sealing import Seal
from colonnade.core.settings import DEFAULT_LOGIN_LIMIT, Settings, settings_or_exit
from colonnade.database.database import Database
from colonnade.jobs.declaration import Job
from colonnade.jobs.worker import Worker, by_name
from colonnade.limits.choice import open_limits
from colonnade.limits.limits import Limits
from colonnade.models.base import Base
from colonnade.observation.observation import Observation

Versions = Mapping[str, Sequence[Resource | APIRouter]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def create_app(
    resources: Sequence[Resource | APIRouter] | Versions,
    *,
    database: Database | None = None,
    accounts: Accounts | None = None,
    settings: Settings | None = None,
    checks: Sequence[ReadinessCheck] = (),
    jobs: Sequence[Job[...]] = (),
    **fastapi: Any,
) -> FastAPI:
    """Make a whole application of resources: an ordinary `FastAPI` underneath.

    Args:
        resources: served as version `v1`, or a mapping of versions to them, the newest last; `/api/...` answers for that.
        database: theirs; made from `settings.database_url` when not given.
        accounts: who may sign in; their routes stand below `/auth` of each version. Each resource says by its policy (or by
            dependencies) what that is good for, and a `DeclarationError` names those that do not.
        settings: read from the environment when not given.
        checks: what must hold before `/health/ready` says so, beside the database's answer.
        jobs: what a worker runs, in each serving process unless `settings.jobs` is off; `colonnade worker` runs them in one
            of its own.
        fastapi: what `FastAPI(...)` takes: title, version, description, contact, license_info, ...; a `lifespan` is entered
            when the database answers, and left before it is disposed of; `middleware` stands inside ours, around the routes.

    Returns:
        The application: routes, documentation pages, health, middleware and error handlers in place. In development and
        test the tables of a database that has none are created when it starts; elsewhere that is what migrations are for.
    """
    settings = settings or settings_or_exit(Settings)
    _check(settings, accounts, fastapi)
    database = database or Database.from_settings(settings, Base.metadata)
    limits = open_limits(settings, database)
    answers = open_answers(settings)
    observation = Observation(settings, database)
    telemetry = telemetry_config(fastapi.pop("telemetry", None))
    trace_statements(database, telemetry)
    app = Application(
        telemetry=telemetry,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(settings, limits, observation, fastapi.pop("middleware", None) or ()),
        lifespan=_lifespan(
            _Parts(database, settings, limits, answers, observation, accounts), fastapi.pop("lifespan", None)
        ),
        **fastapi,
    )
    _include_versions(app, resources, settings.api_prefix, accounts)
    app.include_router(health_router(checks=checks))
    app.include_router(metrics_router(settings, observation.workers))
    if settings.env == "development":
        app.include_router(debug_router())
    add_docs_pages(app)
    add_error_pages(app)
    # The key that everybody knows does in development: a cursor grants nothing, and every worker takes it.
    key = settings.secret_key.get_secret_value()
    install(app, database, response_wrapper=settings.response_wrapper, secret_key=key)
    if accounts is not None:
        accounts.attach(app.state.colonnade, key.encode(), settings.login_limit, settings.common_passwords)
        accounts.add_pages(app, settings.api_prefix)
        require_policies(app)
    answer_with_problems(app)
    runtime = runtime_of(app)
    runtime.limits, runtime.answers, runtime.figures = limits, answers, observation.figures
    runtime.jobs, runtime.runs_jobs = _jobs(runtime, jobs), settings.jobs
    runtime.headers = headers_everywhere(limited=settings.rate_limit is not None)
    observation.watch(limits, answers, has_jobs=bool(runtime.jobs))
    return app


def install(
    app: FastAPI,
    database: Database,
    *,
    accounts: Accounts | None = None,
    response_wrapper: bool = False,
    secret_key: str | None = None,
) -> None:
    """Give an existing FastAPI application a database for its resource routers, and the shortcut to them.

    Every refusal of a resource's route, and whatever `get_db` or a unit of work raises in the application's own, is a
    problem document. What else its own routes answer, and its 404 and 405, stay as they are; see `answer_with_problems`.

    Args:
        app: before its first request.
        database: what its resources are stored in; disposing of it is the application's own affair.
        accounts: who may sign in; include `accounts.router` where its routes shall stand. The log warns of resources that no
            policy guards.
        response_wrapper: put guide A's `{success, data, error, metadata}` around what succeeds (S15).
        secret_key: seals cursors and signs tokens, with keys that are derived from it; the same in every worker. Without one
            each process has a key of its own.
    """
    app.state.database = database
    runtime = app.state.colonnade = Runtime(database, wrapped=response_wrapper)
    if secret_key is not None:
        runtime.seal = Seal(secret_key.encode())
    if accounts is not None:
        accounts.attach(runtime, runtime.seal.key, DEFAULT_LOGIN_LIMIT)
    app.add_exception_handler(ProblemError, answer_problem_error)
    refine_openapi(app)
    # Innermost, so that every middleware of the application's own has seen the request.
    app.user_middleware.append(Middleware(Shortcut))


_OURS = frozenset({"docs_url", "redoc_url", "redirect_slashes"})
"""What `FastAPI(...)` takes and `create_app` decides: the pages are ours, and no redirect is built from `Host`."""


def _check(settings: Settings, accounts: Accounts | None, fastapi: Mapping[str, Any]) -> None:
    """Refuse what must not serve."""
    if decided := sorted(_OURS & fastapi.keys()):
        raise DeclarationError(
            f"create_app decides {', '.join(decided)} itself; install(app, ...) takes any FastAPI(...)"
        )
    if settings.env == "production" and fastapi.get("debug"):
        raise DeclarationError("debug=True shows every traceback to whoever asks; production must not")
    if accounts is not None:
        accounts.check_links(settings)


def _jobs(runtime: Runtime, jobs: Sequence[Job[...]]) -> tuple[Job[...], ...]:
    """Give the application's jobs and those of its accounts."""
    letters = None if runtime.accounts is None else runtime.accounts.letters
    return tuple(by_name([*jobs, *([] if letters is None else [letters.job])]).values())


def _middleware(
    settings: Settings, limits: Limits, observation: Observation, own: Iterable[Middleware]
) -> list[Middleware]:
    stack = middleware_stack(settings, observation.requests, limits=limits)
    if settings.env == "development":
        stack.append(Middleware(Explain))
    return [*stack, *own, Middleware(StandardMethods)]


def _include_versions(
    app: FastAPI, resources: Sequence[Resource | APIRouter] | Versions, prefix: str, accounts: Accounts | None
) -> None:
    versions = resources if isinstance(resources, Mapping) else {"v1": resources}
    for number, (version, parts) in enumerate(versions.items(), 1):
        routers = _routers(parts, accounts)
        for router in routers:
            app.include_router(router, prefix=f"{prefix}/{version}")
        if number == len(versions):
            for router in routers:
                app.include_router(router, prefix=prefix, include_in_schema=False)


def _routers(parts: Sequence[Resource | APIRouter], accounts: Accounts | None) -> list[APIRouter]:
    """Give the routers of a version, those of its accounts and batches included."""
    routers: list[APIRouter] = [] if accounts is None else [accounts.router]
    for part in parts:
        router: object = part.router if isinstance(part, Resource) else part
        if not isinstance(router, APIRouter):
            name = getattr(part, "__name__", repr(part))
            raise DeclarationError(f"{name} is neither a Resource nor a router; give Resource({name})")
        routers.append(router)
    keys = next((part.keys for part in parts if isinstance(part, Resource) and part.keys is not None), None)
    return [*routers, batch_router(keys)]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What starts and stops with the application."""

    database: Database
    settings: Settings
    limits: Limits
    answers: Answers | None
    observation: Observation
    accounts: Accounts | None


def _lifespan(parts: _Parts, own: Lifespan | None) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(parts.observation.running())
            stack.push_async_callback(parts.database.dispose)
            await stack.enter_async_context(parts.observation.explaining())
            stack.push_async_callback(parts.limits.close)
            if parts.answers is not None:
                stack.push_async_callback(parts.answers.close)
            await parts.database.start(create_tables=parts.settings.env in {"development", "test"})
            if parts.accounts is not None:
                await parts.accounts.prepare(parts.database, parts.settings)
            if parts.settings.env in {"staging", "production"}:
                _settle_heap(stack)
            state = None if own is None else await stack.enter_async_context(own(app))
            runtime = runtime_of(app)
            if runtime.jobs and runtime.runs_jobs:
                await stack.enter_async_context(Worker(parts.database, runtime.jobs))
            yield state

    return lifespan


def _settle_heap(stack: AsyncExitStack) -> None:
    """Keep the collector away from what was made at the start and stays (`gc.freeze`).

    A third of a list's time went into looking through a hundred thousand classes, plans and routes again and again.
    Whoever has done so before this application started, another one or what runs them both, also ends it.
    """
    if gc.get_freeze_count():
        return
    gc.collect()
    gc.freeze()
    stack.callback(gc.unfreeze)
