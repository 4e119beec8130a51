"""Statistics of an endpoint over its latest attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kaivox.api.fields import format_instant
from webhooks.models import Attempt, AttemptOutcome, Delivery, DeliveryStatus, Endpoint

WINDOW: Final = timedelta(hours=24)
# At most this many attempts are read, however busy an endpoint is.
SAMPLE: Final = 1000


@dataclass(frozen=True, slots=True)
class EndpointStats:
    since: datetime
    attempts: int
    succeeded: int
    success_rate: float | None
    p50_ms: int | None
    p95_ms: int | None
    waiting: int
    held_back_until: datetime | None
    last_failure: dict[str, Any] | None


def endpoint_stats(endpoint: Endpoint, *, now: datetime) -> EndpointStats:
    """Statistics of the last 24 hours, over at most the latest thousand attempts."""
    since = now - WINDOW
    finished = (
        Attempt.objects.filter(endpoint=endpoint, started_at__gte=since)
        .exclude(outcome__in=(AttemptOutcome.IN_FLIGHT, AttemptOutcome.WORKER_LOST))
        .order_by("-started_at")
        .values_list("outcome", "duration_ms")[:SAMPLE]
    )
    rows = list(finished)
    succeeded = sum(outcome == AttemptOutcome.SUCCEEDED for outcome, _ in rows)
    durations = sorted(duration for _, duration in rows if duration is not None)
    until = endpoint.breaker_until
    return EndpointStats(
        since=since,
        attempts=len(rows),
        succeeded=succeeded,
        success_rate=round(succeeded / len(rows), 4) if rows else None,
        p50_ms=_percentile(durations, 50),
        p95_ms=_percentile(durations, 95),
        waiting=Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING).count(),
        held_back_until=until if until is not None and until > now else None,
        last_failure=_last_failure(endpoint, since),
    )


def _percentile(ordered: list[int], percent: int) -> int | None:
    """By the nearest-rank method; None without values."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def _last_failure(endpoint: Endpoint, since: datetime) -> dict[str, Any] | None:
    attempt = (
        Attempt.objects.filter(endpoint=endpoint, started_at__gte=since)
        .exclude(outcome__in=(AttemptOutcome.IN_FLIGHT, AttemptOutcome.SUCCEEDED))
        .order_by("-started_at")
        .first()
    )
    if attempt is None:
        return None
    return {
        "delivery_id": attempt.delivery_id,
        "at": format_instant(attempt.started_at),
        "outcome": attempt.outcome,
        "http_status": attempt.http_status,
        "message": attempt.error_message,
    }
