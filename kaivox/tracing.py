"""Spans of this process, with OpenTelemetry where tracing is on; otherwise it is not even imported.

Which spans are exported, and where to, is decided in `kaivox.server.tracing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.conf import settings

# The ids of the next span of this context and of its trace, where they are known already: a header
# states the one, the sampler was asked about the other.
next_span_id: ContextVar[int | None] = ContextVar("next_span_id", default=None)
next_trace_id: ContextVar[int | None] = ContextVar("next_trace_id", default=None)
# The trace of a request that is not recorded, and so has no span.
unrecorded_trace_id: ContextVar[int | None] = ContextVar("unrecorded_trace_id", default=None)

_NAME: Final = "kaivox"
_SPAN_IDS: Final = 2**64 - 1


def traceparent() -> str:
    """The W3C Trace Context header of the current span, or of a request that is not recorded; empty
    without either."""
    if not settings.TRACING:
        return ""
    from opentelemetry import trace

    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        trace_id = unrecorded_trace_id.get()
        # No span has this id: with these flags none will ask for it.
        return f"00-{trace_id:032x}-{trace_id & _SPAN_IDS:016x}-00" if trace_id else ""
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{int(current.trace_flags):02x}"


@contextmanager
def consumer_span(name: str, *, parent: str) -> Iterator[None]:
    """The span of a task, current within the block. `parent` is the traceparent of the message, or
    empty: a trace of its own."""
    if not settings.TRACING:
        yield
        return
    from opentelemetry import trace

    with trace.get_tracer(_NAME).start_as_current_span(
        name,
        context=_context_of(parent),
        kind=trace.SpanKind.CONSUMER,
        # The message of an exception may quote a person's data.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(trace.StatusCode.ERROR)
            raise


@contextmanager
def client_span(
    name: str, *, parent: str, traceparent: str, attributes: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """The span of a request to another server, with the id that its header `traceparent` states.

    `parent` is the traceparent of what caused it, or empty. Yields a function that adds attributes;
    `error.type` among them makes the span a failed one.
    """
    if not settings.TRACING:
        yield lambda attributes: None
        return
    from opentelemetry import trace

    token = next_span_id.set(int(traceparent.split("-")[2], 16))
    try:
        span = trace.get_tracer(_NAME).start_span(
            name, context=_context_of(parent), kind=trace.SpanKind.CLIENT, attributes=attributes
        )
    finally:
        next_span_id.reset(token)

    def add(more: Mapping[str, Any]) -> None:
        span.set_attributes(more)
        if "error.type" in more:
            span.set_status(trace.StatusCode.ERROR)

    try:
        yield add
    finally:
        span.end()


def _context_of(parent: str) -> Any:
    """The context with `parent` as its remote span; without any span where it is not valid."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())
