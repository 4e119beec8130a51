"""What becomes of a delivery whose request failed: tried again when, given up, or called off?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from webhooks.backoff import parse_retry_after, seconds_until_retry
from webhooks.delivery import Answer
from webhooks.models import Delivery, DeliveryStatus, Outcome, Trigger

_ASKS_TO_WAIT: Final = frozenset({429, 503})
_GONE: Final = 410


def settle_failure(
    delivery: Delivery, answer: Answer, *, endpoint_is_active: bool, now: datetime
) -> bool:
    """Saves what follows from `answer` for `delivery`, which is locked and ours; returns whether it
    was given up by its own schedule.

    An automatic attempt that failed plans the next one. A manual attempt changes no plan: what was
    planned before it stays planned, what was settled stays settled.
    """
    delivery.lease_token = delivery.lease_until = None
    delivery.last_http_status = answer.http_status
    delivery.last_error = "" if answer.outcome is Outcome.HTTP_ERROR else answer.outcome
    by_hand = delivery.trigger == Trigger.MANUAL
    if by_hand:
        delivery.trigger = Trigger.AUTO
    else:
        delivery.failure_count += 1
        delivery.retry_at = _next_retry(delivery, answer, now)
    if _is_final(answer) or not endpoint_is_active:
        delivery.retry_at = None
    if delivery.retry_at is not None:
        delivery.status = DeliveryStatus.PENDING
        delivery.next_attempt_at = max(delivery.retry_at, now)
    else:
        delivery.status = _end_of(delivery, endpoint_is_active)
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
    return delivery.status == DeliveryStatus.EXHAUSTED and not by_hand


def _next_retry(delivery: Delivery, answer: Answer, now: datetime) -> datetime | None:
    asked = None
    if answer.http_status in _ASKS_TO_WAIT and answer.retry_after is not None:
        asked = parse_retry_after(answer.retry_after, now)
    wait = seconds_until_retry(
        delivery.failure_count, settings.WEBHOOK_RETRY_SCHEDULE, retry_after=asked
    )
    return None if wait is None else now + timedelta(seconds=wait)


def _is_final(answer: Answer) -> bool:
    """A refusal by rule is no weather: trying again would meet it again."""
    return answer.outcome is Outcome.BLOCKED_DESTINATION or answer.http_status == _GONE


def _end_of(delivery: Delivery, endpoint_is_active: bool) -> DeliveryStatus:
    if delivery.delivered_at is not None:  # sent again by hand; it had arrived before
        return DeliveryStatus.SUCCEEDED
    return DeliveryStatus.EXHAUSTED if endpoint_is_active else DeliveryStatus.CANCELLED
