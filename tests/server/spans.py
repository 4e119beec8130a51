"""OpenTelemetry's exporter in memory, installed once: a process has one tracer provider."""

from __future__ import annotations

from functools import cache
from typing import Any

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kaivox.server import tracing


@cache
def installed() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.provide(SimpleSpanProcessor(tracing.CollectorExporter(exporter)))
    return exporter


def named(exporter: InMemorySpanExporter, name: str) -> list[Any]:
    return [span for span in exporter.get_finished_spans() if span.name == name]
