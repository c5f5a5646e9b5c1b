"""Routes that nobody guards, and jobs that nothing can store, as `colonnade check --deploy` finds them."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI

from colonnade import Database, JobRun, create_app, job, job_table
from colonnade.api.resource import Resource, Routes
from colonnade.api.route import runtime_of
from colonnade.cli.check.application import check_access, check_jobs
from tests.magazine import Printed, Review, magazine_app, magazine_resources


def served(*resources: Resource | APIRouter) -> FastAPI:
    """An application in which people sign in."""
    return magazine_app(Database("sqlite://", metadata=Printed.metadata), resources)  # type: ignore[arg-type]


def test_a_resource_without_a_policy_is_found() -> None:
    """S78: everybody may do everything there, and that is told once, with the methods."""
    (finding,) = check_access(served(*magazine_resources()))
    assert finding.place == "Review"
    assert finding.what == "no policy says who may DELETE, GET, PATCH, POST there, so everybody may"
    assert not finding.is_hint


def test_a_dependency_guards_a_route_as_well() -> None:
    """S78: a resource behind the user's own check is not told of."""

    def somebody() -> None: ...

    guarded = Resource(Review, routes=Routes(dependencies=[Depends(somebody)]))
    assert list(check_access(served(guarded))) == []


def test_an_application_without_accounts_is_open() -> None:
    """S78: where nobody can sign in, that is what is told, as a hint."""
    app = served(*magazine_resources())
    runtime_of(app).authenticate = None
    (finding,) = check_access(app)
    assert (finding.place, finding.is_hint) == ("accounts", True)


@job()
async def counted(run: JobRun) -> None:
    """Do nothing."""


def test_jobs_without_a_table_are_found() -> None:
    """Each request that asks for a job would fail, and neither the models nor the migrations miss the table."""
    metadata = sa.MetaData()
    app = create_app([], database=Database("sqlite://", metadata=metadata), jobs=[counted])
    assert [finding.place for finding in check_jobs(app)] == ["jobs"]
    job_table(metadata)
    assert list(check_jobs(app)) == []
