"""Spans for OpenTelemetry: FastAPI makes those of requests, and here are those of their statements.

Nothing is measured before somebody wants it: being asked for spans costs every request tens of microseconds, whether anybody
collects them or not. So it takes the SDK (`pip install colonnade[opentelemetry]`) and somewhere to send them: an exporter
named in the environment (`OTEL_EXPORTER_OTLP_ENDPOINT`), a provider that was set before the application is made, or one
that is given to `create_app(telemetry={"tracer_provider": ...})`.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace

from colonnade.database.database import Database

_DESTINATIONS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_MAX_TEXT = 2_000


def telemetry_config(given: TelemetryConfig | None) -> TelemetryConfig:
    """Decide what is asked of FastAPI's telemetry.

    Args:
        given: by the application, which then stands as it is.

    Returns:
        Traces and metrics where the SDK is there and somebody collects them; never logs, which are written by ourselves.
    """
    if given is not None:
        return given
    exported = _is_exported()
    wanted = exported or _has_provider()
    return {"tracing": wanted, "metrics": wanted, "logs": False, "auto_configure": exported}


def trace_statements(database: Database, config: TelemetryConfig) -> None:
    """Make a span of each statement that a traced request runs; its values are no part of it."""
    if config.get("tracing", True):
        database.watch.listeners.append(_Spans(database, config.get("tracer_provider")))


class _Spans:
    """Makes spans of statements that have ended.

    https://opentelemetry.io/docs/specs/semconv/database/database-spans/
    """

    def __init__(self, database: Database, provider: trace.TracerProvider | None) -> None:
        self._tracer = trace.get_tracer("colonnade", tracer_provider=provider)
        self._same: dict[str, Any] = {"db.system.name": database.dialect.name}
        if database.url.database:
            self._same["db.namespace"] = database.url.database

    def __call__(self, sql: str, arguments: Any, seconds: float) -> None:
        if not trace.get_current_span().is_recording():
            return  # nobody's request: a worker that looks for jobs, say
        end = time.time_ns()
        word = sql.split(None, 1)[0].upper() if sql else "SQL"
        span = self._tracer.start_span(
            word,
            kind=trace.SpanKind.CLIENT,
            start_time=end - int(seconds * 1e9),
            attributes={**self._same, "db.operation.name": word, "db.query.text": sql[:_MAX_TEXT]},
        )
        span.end(end)


def _is_exported() -> bool:
    """Tell whether the environment names where spans go, and what sends them is installed."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    named = any(os.environ.get(name) for name in _DESTINATIONS)
    return named and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp" and _has_sdk()


def _has_sdk() -> bool:
    return find_spec("opentelemetry.sdk") is not None


def _has_provider() -> bool:
    """Tell whether the application, or whoever starts it, has set a provider already."""
    return _has_sdk() and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
