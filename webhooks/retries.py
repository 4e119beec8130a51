"""Retry policy for failed deliveries: the schedule, `Retry-After`, and what a failure changes.

"Max 3 retries": the first attempt and at most one retry per step of WEBHOOK_RETRY_SCHEDULE.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from kaivox.api.values import parse_mail_date
from webhooks.models import AttemptOutcome, AttemptTrigger, Delivery, DeliveryStatus
from webhooks.sender import DeliveryResult

JITTER: Final = 0.2
# The upper bound for `Retry-After`: a receiver cannot postpone a delivery for days.
MAX_RETRY_AFTER: Final = 3600.0

_RETRY_AFTER_STATUSES: Final = frozenset({429, 503})
_GONE: Final = 410


# --- Schedule ----------------------------------------------------------------------------------


def seconds_until_retry(
    failures: int,
    schedule: Sequence[float],
    *,
    retry_after: float | None = None,
    random_fraction: float | None = None,
) -> float | None:
    """Seconds to wait after the `failures`-th failure in a row, or None where no retry is left.

    `schedule` has one wait in seconds per retry: three retries after the first attempt make four
    requests. A wait varies by ±20 %, so that deliveries which failed together are not retried
    together; `random_fraction` in [0, 1] fixes it. `retry_after` is what a 429 or 503 asked for,
    limited to [the step, 1 h].
    """
    if failures > len(schedule):
        return None
    step = schedule[failures - 1]
    fraction = random.random() if random_fraction is None else random_fraction  # noqa: S311 - no secret
    wait = step * (1 - JITTER + 2 * JITTER * fraction)
    if retry_after is None:
        return wait
    # Never earlier than the receiver asked for: the jitter may only lengthen the wait.
    return max(wait, step, min(retry_after, MAX_RETRY_AFTER))


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Seconds from `now` that a Retry-After header (RFC 9110 §10.2.3) asks for; None if invalid.

    Seconds or an HTTP date; a date in the past is 0.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parse_mail_date(value) - now).total_seconds())
    except ValueError:
        return None


# --- Failed deliveries -------------------------------------------------------------------------


def apply_retry_policy(
    delivery: Delivery, result: DeliveryResult, *, endpoint_is_active: bool, now: datetime
) -> bool:
    """Saves the new state of `delivery`, locked by the caller, after the failed `result`.

    Returns whether its retries are exhausted. A failed automatic attempt schedules the next one. A
    failed manual attempt changes no schedule: a retry that was scheduled before stays scheduled, and
    a finished delivery stays finished.
    """
    delivery.lease_token = delivery.lease_until = None
    delivery.last_http_status = result.http_status
    delivery.last_error = "" if result.outcome is AttemptOutcome.HTTP_ERROR else result.outcome
    is_manual = delivery.trigger == AttemptTrigger.MANUAL
    if is_manual:
        delivery.trigger = AttemptTrigger.AUTO
    else:
        delivery.failure_count += 1
        delivery.retry_at = _next_retry(delivery, result, now)
    if _is_permanent(result) or not endpoint_is_active:
        delivery.retry_at = None
    if delivery.retry_at is not None:
        delivery.status = DeliveryStatus.PENDING
        delivery.next_attempt_at = max(delivery.retry_at, now)
    else:
        delivery.status = _final_status(delivery, endpoint_is_active)
        delivery.next_attempt_at = now
    delivery.save(
        update_fields=[
            "status",
            "trigger",
            "next_attempt_at",
            "retry_at",
            "failure_count",
            "last_http_status",
            "last_error",
            "lease_token",
            "lease_until",
            "updated_at",
        ]
    )
    return delivery.status == DeliveryStatus.EXHAUSTED and not is_manual


def _next_retry(delivery: Delivery, result: DeliveryResult, now: datetime) -> datetime | None:
    retry_after = None
    if result.http_status in _RETRY_AFTER_STATUSES and result.retry_after is not None:
        retry_after = parse_retry_after(result.retry_after, now)
    wait = seconds_until_retry(
        delivery.failure_count, settings.WEBHOOK_RETRY_SCHEDULE, retry_after=retry_after
    )
    return None if wait is None else now + timedelta(seconds=wait)


def _is_permanent(result: DeliveryResult) -> bool:
    """Policy errors and 410 are permanent, so they are not retried."""
    return result.outcome is AttemptOutcome.BLOCKED_DESTINATION or result.http_status == _GONE


def _final_status(delivery: Delivery, endpoint_is_active: bool) -> DeliveryStatus:
    if delivery.delivered_at is not None:  # a manual attempt, after one that had succeeded
        return DeliveryStatus.SUCCEEDED
    return DeliveryStatus.EXHAUSTED if endpoint_is_active else DeliveryStatus.CANCELLED
