"""Circuit breaker per endpoint, and automatic disabling of endpoints that fail for days.

The breaker opens when at least 90 % of 20 or more recent attempts failed, and lets one request
through after a pause that doubles each time that one fails too. Deliveries wait meanwhile, which
costs them no attempt. The minimum of twenty attempts leaves the retry schedule of a single delivery
unchanged.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from kaivox.db.lookups import AnyOf
from webhooks.models import (
    Attempt,
    AttemptOutcome,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
)
from webhooks.querysets import unless_delivered

# The latest attempts that count. The sample bounds the cost of the query for an endpoint with a
# thousand attempts a minute.
WINDOW: Final = timedelta(minutes=5)
SAMPLE_SIZE: Final = 100

MIN_ATTEMPTS: Final = 20
FAILURE_RATE: Final = 0.9

FIRST_PAUSE: Final = timedelta(seconds=30)
MAX_PAUSE: Final = timedelta(minutes=10)

# An endpoint is disabled after this many exhausted deliveries in a row, over at least this long.
MAX_EXHAUSTED_IN_A_ROW: Final = 20
MIN_FAILING_TIME: Final = timedelta(hours=72)

# Outcomes that say nothing about the endpoint.
_UNDECIDED: Final = (AttemptOutcome.IN_FLIGHT, AttemptOutcome.WORKER_LOST)
_HEALTHY: Final[dict[str, Any]] = {
    "breaker_until": None,
    "breaker_trips": 0,
    "failing_since": None,
    "exhausted_in_a_row": 0,
    "exhausted_since": None,
}
_FAILING: Final = (
    Q(failing_since__isnull=False) | Q(breaker_trips__gt=0) | Q(exhausted_in_a_row__gt=0)
)


# --- Rules -------------------------------------------------------------------------------------


def must_open(attempts: int, failures: int) -> bool:
    """Whether `failures` of `attempts` recent attempts open the breaker."""
    return attempts >= MIN_ATTEMPTS and failures >= FAILURE_RATE * attempts


def pause(trips: int) -> timedelta:
    """How long the breaker stays open when it opens the `trips`-th time in a row (from 1)."""
    doublings: int = min(trips - 1, 16)
    return min(FIRST_PAUSE * (1 << doublings), MAX_PAUSE)


# --- State of endpoints ------------------------------------------------------------------------


def lock_endpoints(*, succeeded: Collection[int], failed: Collection[int]) -> dict[int, Endpoint]:
    """Locks the endpoints whose state a batch of results changes, by id: the `failed`, and those of the
    `succeeded` that failed before. In the order of their ids: workers wait for each other in turn."""
    changed = Q(AnyOf("pk", failed)) | (_FAILING & AnyOf("pk", succeeded))
    rows = Endpoint.objects.filter(changed).select_for_update(no_key=True).order_by("pk")
    return {endpoint.pk: endpoint for endpoint in rows}


def close_breaker(endpoint: Endpoint) -> None:
    """Closes the breaker of `endpoint`, locked by the caller, and resets its failure counters."""
    for name, value in _HEALTHY.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*_HEALTHY])


def record_failures(endpoint: Endpoint, *, exhausted: int, gone: bool, now: datetime) -> None:
    """Updates `endpoint`, locked by the caller, after failed attempts whose rows are written.

    `exhausted`: how many deliveries had no retry left; `gone`: a response was 410.
    """
    endpoint.failing_since = endpoint.failing_since or now
    if exhausted:
        endpoint.exhausted_in_a_row += exhausted
        endpoint.exhausted_since = endpoint.exhausted_since or now
    _trip_breaker(endpoint, now)
    endpoint.save(
        update_fields=[
            "failing_since",
            "exhausted_in_a_row",
            "exhausted_since",
            "breaker_until",
            "breaker_trips",
        ]
    )
    if gone:
        disable(endpoint, DisabledReason.GONE, now=now)
    elif _failed_for_days(endpoint, now):
        disable(endpoint, DisabledReason.FAILING, now=now)


def disable(endpoint: Endpoint, reason: DisabledReason, *, now: datetime) -> None:
    """Switches `endpoint`, locked by the caller, off and cancels its pending deliveries."""
    if not endpoint.is_active:
        return
    endpoint.is_active = False
    endpoint.disabled_reason = reason
    endpoint.disabled_at = now
    endpoint.notified_at = None
    endpoint.save(
        update_fields=["is_active", "disabled_reason", "disabled_at", "notified_at", "updated_at"]
    )
    _cancel(Delivery.objects.filter(endpoint=endpoint), now)


def cancel_stranded(*, now: datetime) -> int:
    """Cancels deliveries that were recorded while their endpoint was being switched off; returns
    how many."""
    return _cancel(Delivery.objects.filter(endpoint__is_active=False), now)


def _cancel(deliveries: QuerySet[Delivery], now: datetime) -> int:
    return deliveries.filter(status=DeliveryStatus.PENDING).update(
        status=unless_delivered(DeliveryStatus.CANCELLED), retry_at=None, updated_at=now
    )


def enable(endpoint: Endpoint) -> None:
    """Switches `endpoint`, locked by the caller, on again with all failure counters reset."""
    columns = {
        **_HEALTHY,
        "is_active": True,
        "disabled_reason": "",
        "disabled_at": None,
        "notified_at": None,
    }
    for name, value in columns.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*columns, "updated_at"])


def _trip_breaker(endpoint: Endpoint, now: datetime) -> None:
    if endpoint.breaker_until is not None and endpoint.breaker_until > now:
        return  # open already: this attempt was in flight when it opened
    if endpoint.breaker_trips or must_open(*_recent_attempts(endpoint, now)):
        endpoint.breaker_trips += 1
        endpoint.breaker_until = now + pause(endpoint.breaker_trips)


def _recent_attempts(endpoint: Endpoint, now: datetime) -> tuple[int, int]:
    """The number of recent attempts, and how many of them failed."""
    outcomes = list(
        Attempt.objects.filter(endpoint=endpoint, started_at__gt=now - WINDOW)
        .exclude(outcome__in=_UNDECIDED)
        .order_by("-started_at")
        .values_list("outcome", flat=True)[:SAMPLE_SIZE]
    )
    return len(outcomes), sum(outcome != AttemptOutcome.SUCCEEDED for outcome in outcomes)


def _failed_for_days(endpoint: Endpoint, now: datetime) -> bool:
    return (
        endpoint.exhausted_since is not None
        and endpoint.exhausted_in_a_row >= MAX_EXHAUSTED_IN_A_ROW
        and now - endpoint.exhausted_since >= MIN_FAILING_TIME
    )
