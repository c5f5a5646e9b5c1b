"""What a running application lets be seen: a line for each request, figures, and where the time went."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from colonnade import Figure, JobRequest, Principal, add_figures, get_db, utc_now
from colonnade.api.route import runtime_of
from tests.observed import figures, lines, observed, polish

pytestmark = [pytest.mark.anyio, pytest.mark.databases("sqlite-memory")]

LAMP = {"name": "Lamp", "price": 19.9}


async def test_each_request_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: a request is one JSON line with id, method, route, status, milliseconds, statements and who asked."""
    async with observed() as (_, client):
        answer = await client.get("/api/v1/lamps/7?fields=id", headers={"X-Request-ID": "abc-1"})
    (line,) = lines(capsys)
    assert answer.status_code == 404
    assert line.pop("ms") > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "abc-1",
        "method": "GET",
        "route": "/api/v1/lamps/{id}",
        "path": "/api/v1/lamps/7",
        "status": 404,
        "statements": 1,
        "principal": None,
    }


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/api/lamps", "/api/lamps"),
        ("HEAD", "/api/v1/lamps/7", "/api/v1/lamps/{id}"),
        ("GET", "/api/v1/rooms/7/lamps", "/api/v1/rooms/{id}/lamps"),
        ("GET", "/health/live", "/health/live"),
        ("GET", "/errors/CLN404", "/errors/{code}"),
        ("GET", "/docs/assets/swagger-ui.css", "/docs/assets/{path}"),
        ("GET", "/nowhere/7", None),
    ],
)
async def test_the_route_is_told_as_its_template(
    capsys: pytest.CaptureFixture[str], method: str, path: str, route: str | None
) -> None:
    """S37: whichever way a request goes, its line has the route's template, and none where no route took it."""
    async with observed() as (_, client):
        await client.request(method, path)
    (line,) = lines(capsys)
    assert (line["method"], line["path"], line["route"]) == (method, path, route)


async def test_statements_of_a_session_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: what an application's own endpoint runs in its session counts like what a resource runs."""
    async with observed() as (app, client):

        @app.get("/twice")
        async def twice(session: Annotated[AsyncSession, Depends(get_db)]) -> int:
            await session.execute(text("SELECT 1"))
            return (await session.execute(text("SELECT 2"))).scalar_one()

        await client.get("/twice")
    (line,) = lines(capsys)
    assert (line["route"], line["statements"]) == ("/twice", 2)


async def test_a_query_stays_out_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: neither a query nor a header is written down: both may hold somebody's data or secrets."""
    async with observed() as (_, client):
        await client.get("/api/v1/lamps?name=ada@example.com", headers={"Authorization": "Bearer s3cret-s3cret"})
    told = capsys.readouterr().out
    assert "/api/v1/lamps" in told
    assert "example.com" not in told  # "ada" alone is three hexadecimal digits, which an id may have
    assert "s3cret" not in told


async def test_a_path_can_not_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: line breaks in a path stay inside its line, in both formats."""
    for log_format in ("json", "console"):
        async with observed(log_format=log_format) as (_, client):
            await client.get("/x%0Aforged%0D")
        assert capsys.readouterr().out.count("\n") == 1


async def test_an_exception_is_logged_with_its_request(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """S19, S37: what nobody foresaw is logged once with its traceback, under the id that the client is told."""
    async with observed() as (app, client):

        @app.get("/broken")
        async def broken() -> None:
            raise ZeroDivisionError

        answer = await client.get("/broken")
    (line,) = lines(capsys)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert (answer.status_code, line["status"], line["level"]) == (500, 500, "error")
    assert answer.json()["request_id"] == line["request_id"] == vars(record)["request_id"]


async def test_a_line_says_who_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: the key of who was signed in stands in the line, and the time that finding out took in `Server-Timing`."""

    async def signed_in(*_: Any) -> Principal:
        return Principal(7, "user")

    async with observed(server_timing=True) as (app, client):
        runtime_of(app).authenticate = signed_in
        answer = await client.get("/api/v1/lamps")
    assert lines(capsys)[0]["principal"] == "account:7"
    assert answer.headers["server-timing"].startswith("auth;dur=")


async def test_only_failures_are_lines_at_level_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: with `LOG_LEVEL=warning` what went well leaves no line."""
    async with observed(log_level="warning") as (_, client):
        await client.get("/api/v1/lamps")
    assert lines(capsys) == []


async def test_a_background_task_is_no_part_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """S37: the time of a line ends with the answer's last byte, not with what runs after it."""
    async with observed() as (app, client):
        took: list[float] = []

        @app.get("/later")
        async def later(tasks: BackgroundTasks) -> None:
            tasks.add_task(took.append, 0.0)

        await client.get("/later")
    assert took == [0.0]
    assert lines(capsys)[0]["ms"] < 1000


async def test_requests_are_counted_by_route_method_and_status() -> None:
    """S37: `/metrics` has the number of requests and their durations, by template and never by path."""
    async with observed() as (_, client):
        for number in (1, 2, 3):
            await client.get(f"/api/v1/lamps/{number}")
        await client.post("/api/v1/lamps", json=LAMP)
        found = await figures(client)
    route = 'route="/api/v1/lamps/{id}"'
    assert found[f'http_requests_total{{method="GET",{route},status="404"}}'] == 3
    assert found['http_requests_total{method="POST",route="/api/v1/lamps",status="201"}'] == 1
    assert found[f'http_request_duration_seconds_count{{method="GET",{route}}}'] == 3
    assert found[f'http_request_duration_seconds_bucket{{le="+Inf",method="GET",{route}}}'] == 3


async def test_a_made_up_method_is_no_series_of_its_own() -> None:
    """S37: a client can't make figures grow by inventing methods and paths."""
    async with observed() as (_, client):
        for number in range(20):
            await client.request(f"FORGE{number}", f"/nowhere/{number}")
        found = await figures(client)
    assert [series for series in found if "FORGE" in series] == []
    assert found['http_requests_total{method="other",route="",status="404"}'] == 20


async def test_statements_are_counted() -> None:
    """S37: statements of the compiled way are counted, with their durations."""
    async with observed() as (_, client):
        before = (await figures(client))["database_statements_total"]
        await client.get("/api/v1/lamps/1")
        found = await figures(client)
    expected = before + 3  # two of them counted the jobs, for the first look itself
    assert found["database_statements_total"] == expected
    assert found["database_statement_duration_seconds_count"] == expected


async def test_what_limits_cache_and_jobs_did_is_told() -> None:
    """S57: refusals by limit, answers found in the cache or made, and jobs by state stand in `/metrics`."""
    async with observed(rate_limit="3/minute") as (app, client):
        statuses = [(await client.get("/api/v1/rooms")).status_code for _ in range(5)]
        async with app.state.database.unit_of_work() as unit:
            await polish.enqueue(unit.session, name="Lamp")
            await JobRequest("gone", {}, utc_now() - timedelta(hours=1)).enqueue(unit)
            await unit.commit()
        found = await figures(client)
    assert statuses == [200, 200, 200, 429, 429]
    assert found['rate_limit_refusals_total{limit="default"}'] == 2
    assert found["rate_limit_storage_away"] == 0
    assert (found['cache_answers_total{result="hit"}'], found['cache_answers_total{result="miss"}']) == (2, 1)
    assert (found['jobs{state="queued"}'], found['jobs_overdue{name="gone"}']) == (2, 1)


async def test_a_source_of_figures_can_be_added() -> None:
    """S57: whoever has something to count adds a source, of this process or of what all processes share."""

    async def shared() -> list[Figure]:
        return [Figure("jobs_waiting", "gauge", "Jobs.", values={(): 3})]

    async def broken() -> list[Figure]:
        raise OSError

    async with observed() as (app, client):
        hits = Figure("hits", "counter", "Hits.", ("cache",))
        add_figures(app, lambda: [hits])
        hits.add(2, "a")
        runtime_of(app).figures.shared.extend([broken, shared])
        found = await figures(client)
    assert (found['hits_total{cache="a"}'], found["jobs_waiting"]) == (2, 3)


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.1.2.3", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),
    ],
)
async def test_figures_are_for_this_machine(peer: str, headers: dict[str, str], status: int) -> None:
    """Without a token `/metrics` answers clients on this machine only, and to others is not there."""
    async with observed() as (app, _), asked_from(app, peer) as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status


async def test_figures_are_for_who_has_the_token() -> None:
    """With METRICS_TOKEN whoever shows it may read, from anywhere, and nobody else."""
    async with observed(metrics_token="t" * 16) as (app, _), asked_from(app, "10.1.2.3") as client:
        refused = await client.get("/metrics")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert (await client.get("/metrics", headers={"Authorization": f"Bearer {'x' * 16}"})).status_code == 401
        assert (await client.get("/metrics", headers={"Authorization": f"Bearer {'t' * 16}"})).status_code == 200


async def test_an_answer_says_where_the_time_went() -> None:
    """`Server-Timing` has the stages in milliseconds and the number of statements, in development."""
    async with observed(env="development", log_level="critical") as (_, client):
        told = (await client.get("/api/v1/lamps?skip=0&limit=5&count=exact")).headers["server-timing"]
    assert re.fullmatch(r'db;dur=[\d.]+;desc="1 statement", app;dur=[\d.]+, total;dur=[\d.]+', told)


async def test_production_does_not_say_where_the_time_went() -> None:
    """How long a database takes is nobody's business outside: no `Server-Timing` unless it is asked for."""
    async with observed() as (_, client):
        assert "server-timing" not in (await client.get("/api/v1/lamps")).headers
    async with observed(server_timing=True) as (_, client):
        assert "server-timing" in (await client.get("/api/v1/lamps")).headers


def asked_from(app: FastAPI, address: str) -> httpx.AsyncClient:
    """A client that has this address."""
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://shop.test")
