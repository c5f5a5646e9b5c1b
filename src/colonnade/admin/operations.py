"""How the application does at this moment: requests, pool and jobs, drawn while one looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette_admin import CustomView, route
from starlette_admin.flash import flash, get_flashed_messages

from colonnade.api.route import Runtime, runtime_of
from colonnade.jobs.inspection import list_jobs, retry_jobs
from colonnade.observation.figures import Figure

SHOWN_JOBS = 50


class OperationsView(CustomView):
    """Plots of this process's requests, their latency, the pool and the jobs, and the jobs that are not done.

    Args:
        app: the application.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(menu_label="Operations", path="/operations", icon="fa-solid fa-gauge-high")
        self._app = app

    @route("", methods=["GET", "POST"], name="operations")
    async def index(self, request: Request) -> Response:
        """Show the page; a POST has a job that was given up tried again."""
        runtime = self._runtime
        if request.method == "POST":
            named = _named((await request.form()).get("job"))
            tried = await retry_jobs(runtime.database, named) if named else 0  # none named would be all
            flash(request, "The job is tried again." if tried else "The job was not given up.", "success")
            return RedirectResponse(request.url.path, 303)
        assert self.templates is not None  # set when the view was added
        jobs = await list_jobs(runtime.database, limit=SHOWN_JOBS) if runtime.jobs else []
        shown = {"title": self.menu_label, "jobs": jobs, "flashed_messages": get_flashed_messages(request)}
        return self.templates.TemplateResponse(request, "operations.html", shown)

    @route("/figures", methods=["GET"], name="operations-figures")
    async def figures(self, request: Request) -> Response:
        """Give the figures that the page draws."""
        figures = self._runtime.figures
        return JSONResponse(summary([*figures.own(), *await figures.common()]))

    @property
    def _runtime(self) -> Runtime:
        return runtime_of(self._app)


def _named(id: object) -> list[UUID]:
    try:
        return [UUID(str(id))]
    except ValueError:
        return []


def summary(figures: Iterable[Figure]) -> Mapping[str, float]:
    """Boil an application's figures down to what fits into four plots.

    Returns:
        Counters since the start (`requests`, `errors`, `seconds` of all requests together), and what is now: `busy` of the
        pool's `limit` connections, callers `waiting` for one, jobs `queued`, `running` and `dead`.
    """
    known = {figure.name: figure for figure in figures}
    answered = _numbers(known.get("http_requests"))
    durations = known.get("http_request_duration_seconds")
    pool, jobs = _numbers(known.get("database_pool_connections")), _numbers(known.get("jobs"))
    return {
        "requests": sum(answered.values()),
        "errors": sum(count for labels, count in answered.items() if labels[-1].startswith("5")),
        "seconds": sum(value[-1] for value in durations.values.values() if isinstance(value, list)) if durations else 0,
        "busy": pool.get(("busy",), 0),
        "limit": sum(_numbers(known.get("database_pool_limit")).values()),
        "waiting": sum(_numbers(known.get("database_pool_waiting")).values()),
        **{state: jobs.get((state,), 0) for state in ("queued", "running", "dead")},
    }


def _numbers(figure: Figure | None) -> Mapping[tuple[str, ...], float]:
    values = {} if figure is None else figure.values
    return {labels: value for labels, value in values.items() if not isinstance(value, list)}
