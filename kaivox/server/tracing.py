"""OpenTelemetry: the spans of requests, SQL and Redis, and their export without keys.

Loaded only where OTEL_EXPORTER_OTLP_ENDPOINT is set. The SDK reads the other standard OTEL_* variables
itself. Why not the instrumentation packages: docs/decisions/0094.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from typing import Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse
from redis import Redis
from redis.client import Pipeline

from kaivox.api.logging import mask_keys
from kaivox.tracing import next_span_id, next_trace_id, unrecorded_trace_id

try:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ImproperlyConfigured(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: "
        ".venv/bin/python -m pip install -r requirements-telemetry.txt."
    ) from missing

logger = logging.getLogger(__name__)

R = TypeVar("R")

# The SDK's own record every trace (docs/decisions/0094 has the cost), or as many as the callers want, and
# delay the end of a process whose collector does not respond by 10 s.
DEFAULTS: Final = {
    "OTEL_TRACES_SAMPLER": "traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.05",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
}
MAX_SQL: Final = 2_000  # characters of a statement
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})
_UNKNOWN_SERVICE: Final = "unknown_service"  # the SDK's default

_tracer = trace.get_tracer("kaivox")
_propagator = TraceContextTextMapPropagator()


def start() -> None:
    """Exports spans to the OTLP collector of the environment, in the background."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        if not os.environ[name].strip():
            del os.environ[name]  # empty counts as unset, as for all settings
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    exporter = CollectorExporter(OTLPSpanExporter())
    processor = BatchSpanProcessor(exporter)
    provide(processor)
    atexit.register(_export_rest, exporter, processor)
    connection_created.connect(trace_statements)
    trace_redis()


def _export_rest(exporter: CollectorExporter, processor: SpanProcessor) -> None:
    if exporter.is_failing:
        exporter.shutdown()  # ends retries at once
    processor.shutdown()


def provide(processor: SpanProcessor) -> None:
    """Sends the spans of this process to `processor`; once in a process."""
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith(_UNKNOWN_SERVICE):
        resource = resource.merge(Resource({SERVICE_NAME: "kaivox"}))
    provider = TracerProvider(
        resource=resource, id_generator=GivenIdGenerator(), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)


class GivenIdGenerator(RandomIdGenerator):
    """Random ids, except where they are known before the span is made."""

    def generate_trace_id(self) -> int:
        return next_trace_id.get() or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return next_span_id.get() or super().generate_span_id()


class CollectorExporter(SpanExporter):
    """Masks API keys, secrets and calendar tokens in all text of a span, and logs an outage of the
    collector once."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export([masked(span) for span in spans])
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self.is_failing:
            logger.warning("The OpenTelemetry collector accepts no spans; they are dropped.")
        elif self.is_failing and not failed:
            logger.warning("The OpenTelemetry collector accepts spans again.")
        self.is_failing = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def masked(span: ReadableSpan) -> ReadableSpan:
    """A copy of `span`, for an exporter."""
    return ReadableSpan(
        name=mask_keys(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_masked_values(span.attributes),
        events=[
            Event(mask_keys(event.name), _masked_values(event.attributes), event.timestamp)
            for event in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=trace.Status(
            span.status.status_code, mask_keys(span.status.description or "") or None
        ),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _masked_values(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        name: mask_keys(value) if isinstance(value, str) else value
        for name, value in (attributes or {}).items()
    }


# --- Requests -----------------------------------------------------------------------------------


class Tracing:
    """The span of a request, in the trace of its `traceparent`.

    It has the route and not the path, and neither query nor headers nor the client's address: those
    contain tokens and personal data.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.provider: Any = trace.get_tracer_provider()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if parent := request.META.get("HTTP_TRACEPARENT"):
            return self._in_span(request, parent)
        # The sampler is asked first: a span costs seven times as much, recorded or not.
        trace_id = getrandbits(128)
        sampled = self.provider.sampler.should_sample(None, trace_id, request.method or "")
        is_recorded = sampled.decision.is_recording()
        variable = next_trace_id if is_recorded else unrecorded_trace_id
        token = variable.set(trace_id)
        try:
            return self._in_span(request) if is_recorded else self.get_response(request)
        finally:
            variable.reset(token)

    def _in_span(self, request: HttpRequest, parent: str = "") -> HttpResponse:
        method = request.method if request.method in _METHODS else "HTTP"
        with _tracer.start_as_current_span(
            method,
            context=_propagator.extract({"traceparent": parent}) if parent else None,
            kind=trace.SpanKind.SERVER,
        ) as span:
            response = self.get_response(request)
            if span.is_recording():
                _describe(span, request, response)
            return response


def _describe(span: trace.Span, request: HttpRequest, response: HttpResponse) -> None:
    match = request.resolver_match
    if match is not None:
        span.set_attribute("http.route", match.route)  # as in the metric of requests
        span.update_name(f"{request.method} {match.route}")
    span.set_attributes(
        {
            "http.request.method": request.method if request.method in _METHODS else "_OTHER",
            "http.response.status_code": response.status_code,
            "kaivox.request_id": response.headers.get("X-Request-ID", ""),
        }
    )
    if response.status_code >= 500:
        span.set_attribute("error.type", str(response.status_code))
        span.set_status(trace.StatusCode.ERROR)


# --- SQL and Redis: only within the span of a request or task, as they poll in the background ---------


def trace_statements(*, connection: Any, **_: object) -> None:
    if in_span_of_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(in_span_of_statement)


def in_span_of_statement(
    execute: Callable[..., R], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
) -> R:
    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    # Values are parameters, which are not recorded.
    text = str(sql)[:MAX_SQL]
    operation = text.split(None, 1)[0].upper() if text.strip() else "SQL"
    attributes = {
        "db.system.name": context["connection"].vendor,
        "db.operation.name": operation,
        "db.query.text": text,
    }
    return _in_client_span(operation, attributes, lambda: execute(sql, params, many, context))


def trace_redis() -> None:
    """Replaces two methods of redis-py, which has no hooks."""
    execute_command: Any = Redis.execute_command
    execute: Any = Pipeline.execute

    def traced_command(self: Any, *args: Any, **options: Any) -> Any:
        if not trace.get_current_span().is_recording():
            return execute_command(self, *args, **options)
        name = str(args[0]).upper()
        attributes = {"db.system.name": "redis", "db.operation.name": name}
        return _in_client_span(name, attributes, lambda: execute_command(self, *args, **options))

    def traced_pipeline(self: Any, *args: Any, **options: Any) -> Any:
        if not trace.get_current_span().is_recording():
            return execute(self, *args, **options)
        attributes = {
            "db.system.name": "redis",
            "db.operation.name": "PIPELINE",
            "db.operation.batch.size": len(self),
        }
        return _in_client_span("PIPELINE", attributes, lambda: execute(self, *args, **options))

    Redis.execute_command = traced_command  # type: ignore[method-assign]
    Pipeline.execute = traced_pipeline  # type: ignore[method-assign]


def _in_client_span(name: str, attributes: Mapping[str, Any], call: Callable[[], R]) -> R:
    # Not made the current span, which costs more: it has no children.
    span = _tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)
    try:
        return call()
    except Exception as error:
        # Without its message: the database quotes values in it.
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        span.end()
