"""Spans for OpenTelemetry: a request's, and below it those of its statements; nothing where nobody collects them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from colonnade.api.telemetry import telemetry_config
from tests.observed import observed


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No exporter from outside."""
    for name in ("OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.anyio
@pytest.mark.databases("sqlite-memory", "postgresql")
async def test_a_request_and_its_statements_are_spans(database_url: str) -> None:
    """A traced request is a span named by its route, each of its statements a span below, without values."""
    collected = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(collected))
    async with observed(database_url, telemetry={"tracer_provider": provider, "metrics": False}) as (_, client):
        collected.clear()
        await client.get("/api/v1/lamps?name=Hunter22&count=none")
    spans = {span.name: span for span in collected.get_finished_spans()}
    request, statement = spans["GET /api/v1/lamps"], spans["SELECT"]
    assert statement.context.trace_id == request.context.trace_id
    assert statement.attributes is not None
    assert statement.attributes["db.system.name"] == database_url.partition(":")[0]
    assert "FROM lamps" in str(statement.attributes["db.query.text"])
    assert "Hunter22" not in str(statement.attributes)
    assert request.start_time <= statement.start_time <= statement.end_time <= request.end_time  # type: ignore[operator]


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_spans_are_made_only_for_who_collects_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: bool
) -> None:
    """With the SDK installed and no exporter named nothing is traced, and no request pays for it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = telemetry_config(None)
    assert (config["tracing"], config["auto_configure"]) == (wanted, wanted)
