"""Recording of attempt results: log rows, delivery states, retries and endpoint health.

A result is recorded only while the lease of its claim is held, in one transaction for a whole batch.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from kaivox.db.lookups import AnyOf
from kaivox.db.transactions import atomic_write
from webhooks.circuit_breaker import close_breaker, lock_endpoints, record_failures
from webhooks.delivery_queue import ClaimedDelivery
from webhooks.models import Delivery, DeliveryStatus, Endpoint
from webhooks.retries import apply_retry_policy
from webhooks.sender import DeliveryResult

logger = logging.getLogger(__name__)

# A claimed delivery and how its request ended.
Result = tuple[ClaimedDelivery, DeliveryResult]

# The columns that every delivery without a further attempt has in common.
_FINAL_FIELDS: Final[Mapping[str, Any]] = {
    "retry_at": None,
    "lease_token": None,
    "lease_until": None,
}


@atomic_write
def record_results(results: Sequence[Result], *, now: datetime) -> datetime | None:
    """Records how requests ended; returns when the first retry of them is due, if any.

    A result whose lease has expired is dropped: its attempt is `worker_lost` already, and the
    delivery may be in flight again.
    """
    held = _lease_tokens(results)
    current = [
        (claim, result) for claim, result in results if claim.token == held[claim.delivery_id]
    ]
    if len(current) < len(results):
        logger.warning(
            "%d webhook results came after their lease had expired", len(results) - len(current)
        )
    if not current:
        return None
    _complete_attempts(current, now)
    succeeded = [(claim, result) for claim, result in current if result.succeeded]
    failed = [(claim, result) for claim, result in current if not result.succeeded]
    _record_successes(succeeded, now)
    recovered = {claim.endpoint_id for claim, _ in succeeded}
    endpoints = lock_endpoints(
        succeeded=recovered, failed={claim.endpoint_id for claim, _ in failed}
    )
    for endpoint_id in recovered & endpoints.keys():
        close_breaker(endpoints[endpoint_id])
    return _record_failures(failed, endpoints, now) if failed else None


def _lease_tokens(results: Sequence[Result]) -> Mapping[int, UUID | None]:
    """The tokens of the leases of deliveries, None where there is no lease."""
    tokens = dict.fromkeys(claim.delivery_id for claim, _ in results)
    # Locks the rows: a sweep that finds a lease expired has to wait, or has committed before.
    rows = (
        Delivery.objects.filter(AnyOf("pk", tokens), status=DeliveryStatus.IN_FLIGHT)
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk", "lease_token")
    )
    return tokens | dict(rows)


def _complete_attempts(results: Sequence[Result], now: datetime) -> None:
    finished_at = connection.ops.adapt_datetimefield_value(now)
    rows = [
        (
            finished_at,
            result.outcome.value,
            result.http_status,
            result.message,
            result.duration_ms,
            result.body,
            result.truncated,
            result.reconnects,
            claim.delivery_id,
            claim.number,
        )
        for claim, result in results
    ]
    with connection.cursor() as cursor:  # raw SQL as in `webhooks.delivery_queue`, per request
        cursor.executemany(
            """
            UPDATE webhooks_attempt
            SET finished_at = %s, outcome = %s, http_status = %s, error_message = %s,
                duration_ms = %s, response_body = %s, response_truncated = %s, reconnects = %s
            WHERE delivery_id = %s AND number = %s""",
            rows,
        )


def _record_successes(succeeded: Sequence[Result], now: datetime) -> None:
    by_status: dict[int | None, list[int]] = {}
    for claim, result in succeeded:
        by_status.setdefault(result.http_status, []).append(claim.delivery_id)
    for http_status, delivery_ids in by_status.items():
        Delivery.objects.filter(AnyOf("pk", delivery_ids)).update(
            **_FINAL_FIELDS,
            status=DeliveryStatus.SUCCEEDED,
            delivered_at=now,
            next_attempt_at=now,
            last_http_status=http_status,
            last_error="",
            updated_at=now,
        )


def _record_failures(
    failed: Sequence[Result], endpoints: Mapping[int, Endpoint], now: datetime
) -> datetime | None:
    """Returns when the first retry is due, if any. `endpoints`, locked: their counters change, and
    one may be switched off here."""
    deliveries = Delivery.objects.in_bulk([claim.delivery_id for claim, _ in failed])
    exhausted: Counter[int] = Counter()
    gone: set[int] = set()
    for claim, result in failed:
        delivery = deliveries[claim.delivery_id]
        is_active = endpoints[delivery.endpoint_id].is_active
        if apply_retry_policy(delivery, result, endpoint_is_active=is_active, now=now):
            exhausted[delivery.endpoint_id] += 1
        if result.http_status == 410:
            gone.add(delivery.endpoint_id)
    for pk in sorted({claim.endpoint_id for claim, _ in failed}):
        record_failures(endpoints[pk], exhausted=exhausted[pk], gone=pk in gone, now=now)
    retries = (row.retry_at for row in deliveries.values() if row.status == DeliveryStatus.PENDING)
    return min((at for at in retries if at is not None), default=None)
