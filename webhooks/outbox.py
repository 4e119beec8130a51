"""The life of a delivery: due → claimed (with an attempt row, committed before the request) →
settled. Each step is safe on many machines at once.

A claim is a lease. Who holds its token may settle it until it expires; then whoever sweeps next
marks the attempt `worker_lost` and the delivery is due again. So a request may go out twice, but
none is forgotten and none leaves without a row.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, F, JSONField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from kaivox.businesses.write_lock import atomic_write
from webhooks.any_of import AnyOf
from webhooks.connections import target_of
from webhooks.delivery import Answer
from webhooks.endpoint_health import note_failures, note_successes
from webhooks.models import Attempt, Delivery, DeliveryStatus, Endpoint, Outcome
from webhooks.settling import settle_failure
from webhooks.signing import signature_headers

logger = logging.getLogger(__name__)

USER_AGENT: Final = "KaiVox-Webhooks/1.0"
# After so many lost workers a delivery is given up: perhaps it is what kills them.
LOSSES_AT_MOST: Final = 5
_LOST_AT_ONCE: Final = 500
# The largest `max_in_flight` that an endpoint can have.
_MOST_IN_FLIGHT: Final = 16

# Endpoints with an unreadable secret: one line in the log for each, not one per sweep.
_told_of: set[int] = set()


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A request that is ours to make: its attempt row is committed, the lease runs."""

    token: UUID
    business_id: int
    endpoint_id: int
    delivery_id: int
    number: int
    trigger: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    to_troubled: bool  # its endpoint has failed since its last success


# --- Claim -------------------------------------------------------------------------------------


class _FirstIds(Subquery):
    """The column `found` of a subquery's rows as one JSON list: a column of the outer query."""

    output_field = JSONField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(SELECT json_group_array(found) FROM (%(subquery)s))"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "to_jsonb(ARRAY(%(subquery)s))"
        return super().as_sql(compiler, connection, template=template, **context)


@atomic_write
def claim_due(*, limit: int, now: datetime, for_troubled: int | None = None) -> list[Claim]:
    """Takes up to `limit` due deliveries, fairly: endpoints in random order, each at most up to the
    requests that it may have in flight; up to `for_troubled` of them for endpoints that fail."""
    waiting = _endpoints_with_due(now)
    if for_troubled == 0:
        waiting = waiting.filter(failing_since__isnull=True)
    # Locks these endpoints: whoever claims elsewhere meanwhile takes others, so the number in
    # flight cannot be exceeded by two who count at once.
    locked = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",))
    endpoints = {
        endpoint.pk: endpoint
        for endpoint in locked.order_by("?")[:limit]
        if _can_be_signed_for(endpoint, now)
    }
    if not endpoints:
        return []
    chosen = _choose(endpoints.values(), limit, limit if for_troubled is None else for_troubled)
    token = uuid4()
    lease_until = now + timedelta(seconds=settings.WEBHOOK_LEASE_SECONDS)
    # Asks for the status again: the list of ids is from before the lock.
    Delivery.objects.due(now).filter(AnyOf("pk", chosen)).update(
        status=DeliveryStatus.IN_FLIGHT,
        attempt_count=F("attempt_count") + 1,
        lease_token=token,
        lease_until=lease_until,
        updated_at=now,
    )
    claims = [
        _claim(row, endpoints[row.endpoint_id], token, now) for row in _claimed(chosen, token)
    ]
    _open_attempts(claims, now)
    return claims


def _endpoints_with_due(now: datetime) -> Any:
    """Open endpoints with something due, and room for it; `due_ids` are the first of it."""
    due = Delivery.objects.due(now).filter(endpoint=OuterRef("pk"))
    first = due.order_by("next_attempt_at", "pk").values(found=F("pk"))[:_MOST_IN_FLIGHT]
    in_flight = Delivery.objects.filter(endpoint=OuterRef("pk"), status=DeliveryStatus.IN_FLIGHT)
    busy = in_flight.order_by().values("endpoint").annotate(busy=Count("pk")).values("busy")
    return (
        Endpoint.objects.open(now)
        .annotate(busy=Coalesce(Subquery(busy), 0))
        .filter(Exists(due), busy__lt=F("max_in_flight"))
        .annotate(due_ids=_FirstIds(first))
    )


def is_something_due(now: datetime) -> bool:
    """Whether an endpoint could be sent to; others may be claiming for it at this moment."""
    return bool(_endpoints_with_due(now).exists())


def _can_be_signed_for(endpoint: Endpoint, now: datetime) -> bool:
    if endpoint.secrets(now):
        return True
    if endpoint.pk not in _told_of:
        _told_of.add(endpoint.pk)
        logger.error(
            "Webhooks to endpoint %s wait: its secret was written under another SECRET_KEY. "
            "Add that key to SECRET_KEY_FALLBACKS, or rotate the secret.",
            endpoint.pk,
        )
    return False


def _choose(endpoints: Iterable[Any], limit: int, for_troubled: int) -> list[int]:
    """Ids of deliveries, one from each endpoint in turn until a limit."""
    endpoints = list(endpoints)
    busy = _in_flight([endpoint.pk for endpoint in endpoints])
    chosen: list[int] = []
    for turn in range(_MOST_IN_FLIGHT):
        for endpoint in endpoints:
            allowed = _allowed_at_once(endpoint) - busy.get(endpoint.pk, 0)
            if turn >= min(allowed, len(endpoint.due_ids)):
                continue
            if endpoint.failing_since is not None:
                if for_troubled == 0:
                    continue
                for_troubled -= 1
            chosen.append(endpoint.due_ids[turn])
            if len(chosen) == limit:
                return chosen
    return chosen


def _allowed_at_once(endpoint: Endpoint) -> int:
    # After the breaker was open: one request, to see whether the endpoint is back.
    return 1 if endpoint.breaker_trips else endpoint.max_in_flight


def _in_flight(endpoint_ids: Sequence[int]) -> dict[int, int]:
    rows = Delivery.objects.filter(
        AnyOf("endpoint_id", endpoint_ids), status=DeliveryStatus.IN_FLIGHT
    ).values("endpoint_id")
    return {row["endpoint_id"]: row["busy"] for row in rows.annotate(busy=Count("pk"))}


def _claimed(delivery_ids: Sequence[int], token: UUID) -> Any:
    """Rows of what was won; plain tuples, for this runs for each request that we make."""
    return Delivery.objects.filter(AnyOf("pk", delivery_ids), lease_token=token).values_list(
        "pk",
        "business_id",
        "endpoint_id",
        "attempt_count",
        "trigger",
        "event__uid",
        "event__type",
        "event__body",
        named=True,
    )


def _claim(row: Any, endpoint: Endpoint, token: UUID, now: datetime) -> Claim:
    body = bytes(row.event__body)
    return Claim(
        token=token,
        business_id=row.business_id,
        endpoint_id=endpoint.pk,
        delivery_id=row.pk,
        number=row.attempt_count,
        trigger=row.trigger,
        url=endpoint.url,
        headers=_request_headers(row, body, endpoint, now),
        body=body,
        to_troubled=endpoint.failing_since is not None,
    )


def _open_attempts(claims: Sequence[Claim], now: datetime) -> None:
    started_at = connection.ops.adapt_datetimefield_value(now)
    _write_attempts(
        """
        INSERT INTO webhooks_attempt
            (business_id, endpoint_id, delivery_id, number, trigger, url, request_headers,
             started_at, outcome, error_message, response_body, response_truncated, reconnects)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'in_flight', '', '', false, 0)""",
        [
            (
                claim.business_id,
                claim.endpoint_id,
                claim.delivery_id,
                claim.number,
                claim.trigger,
                claim.url,
                json.dumps(claim.headers),
                started_at,
            )
            for claim in claims
        ],
    )


def _write_attempts(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """By hand, for this runs for each request: the ORM takes longer over a row than the database,
    and writes another statement for each number of rows."""
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def _request_headers(row: Any, body: bytes, endpoint: Endpoint, now: datetime) -> dict[str, str]:
    return {
        "Host": target_of(endpoint.url).host_header,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "X-KaiVox-Event": row.event__type,
        "X-KaiVox-Delivery": str(row.pk),
        "X-KaiVox-Attempt": str(row.attempt_count),
        **signature_headers(
            body,
            event_id=row.event__uid,
            timestamp=int(now.timestamp()),
            secrets=endpoint.secrets(now),
        ),
    }


# --- Settle ------------------------------------------------------------------------------------


@atomic_write
def settle(answers: Sequence[tuple[Claim, Answer]], *, now: datetime) -> datetime | None:
    """Notes how requests ended; returns when the first of them is to be tried again, if any.

    What is no longer ours, because our lease ran out, is left alone: its attempt is `worker_lost`
    already and the delivery may be on its way again.
    """
    held = _held(answers)
    ended = [(claim, answer) for claim, answer in answers if claim.delivery_id in held]
    if len(ended) < len(answers):
        logger.warning("%d webhook answers came after their lease", len(answers) - len(ended))
    if not ended:
        return None
    _fill_attempts(ended, now)
    won = [(claim, answer) for claim, answer in ended if answer.succeeded]
    lost = [(claim, answer) for claim, answer in ended if not answer.succeeded]
    _settle_successes(won, now)
    note_successes({claim.endpoint_id for claim, _ in won})
    return _settle_failures(lost, now) if lost else None


def _held(answers: Sequence[tuple[Claim, Answer]]) -> set[int]:
    """The deliveries whose lease is still that of their claim."""
    tokens = {claim.delivery_id: claim.token for claim, _ in answers}
    # Locks them: a sweep that finds their lease expired must wait, or come first.
    rows = (
        Delivery.objects.filter(AnyOf("pk", tokens), status=DeliveryStatus.IN_FLIGHT)
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk", "lease_token")
    )
    return {pk for pk, token in rows if tokens[pk] == token}


def _fill_attempts(ended: Sequence[tuple[Claim, Answer]], now: datetime) -> None:
    finished_at = connection.ops.adapt_datetimefield_value(now)
    _write_attempts(
        """
        UPDATE webhooks_attempt
        SET finished_at = %s, outcome = %s, http_status = %s, error_message = %s, duration_ms = %s,
            response_body = %s, response_truncated = %s, reconnects = %s
        WHERE delivery_id = %s AND number = %s""",
        [
            (
                finished_at,
                answer.outcome.value,
                answer.http_status,
                answer.message,
                answer.duration_ms,
                answer.body,
                answer.truncated,
                answer.reconnects,
                claim.delivery_id,
                claim.number,
            )
            for claim, answer in ended
        ],
    )


def _settle_successes(won: Sequence[tuple[Claim, Answer]], now: datetime) -> None:
    by_status: dict[int | None, list[int]] = {}
    for claim, answer in won:
        by_status.setdefault(answer.http_status, []).append(claim.delivery_id)
    for http_status, delivery_ids in by_status.items():
        Delivery.objects.filter(AnyOf("pk", delivery_ids)).update(
            **SETTLED,
            status=DeliveryStatus.SUCCEEDED,
            delivered_at=now,
            next_attempt_at=now,
            last_http_status=http_status,
            last_error="",
            updated_at=now,
        )


# What every settled delivery has in common.
SETTLED: Final[Mapping[str, Any]] = {"retry_at": None, "lease_token": None, "lease_until": None}


def _settle_failures(lost: Sequence[tuple[Claim, Answer]], now: datetime) -> datetime | None:
    """Returns when the first of them is to be tried again, if any."""
    deliveries = Delivery.objects.in_bulk([claim.delivery_id for claim, _ in lost])
    # Locks the endpoints: their counters change, and one may be switched off here.
    endpoints = Endpoint.objects.select_for_update(no_key=True).in_bulk(
        sorted({claim.endpoint_id for claim, _ in lost})
    )
    exhausted: Counter[int] = Counter()
    gone: set[int] = set()
    for claim, answer in lost:
        delivery = deliveries[claim.delivery_id]
        is_active = endpoints[delivery.endpoint_id].is_active
        if settle_failure(delivery, answer, endpoint_is_active=is_active, now=now):
            exhausted[delivery.endpoint_id] += 1
        if answer.http_status == 410:
            gone.add(delivery.endpoint_id)
    for endpoint in endpoints.values():
        note_failures(endpoint, exhausted=exhausted[endpoint.pk], gone=endpoint.pk in gone, now=now)
    retries = (row.retry_at for row in deliveries.values() if row.status == DeliveryStatus.PENDING)
    return min((at for at in retries if at is not None), default=None)


# --- Sweep -------------------------------------------------------------------------------------


@atomic_write
def release_lost(*, now: datetime) -> int:
    """Makes due again what lost workers had claimed; returns how many. It costs no retry."""
    lost = list(
        Delivery.objects.lost(now)
        .select_for_update(skip_locked=True, no_key=True)
        .order_by("lease_until")[:_LOST_AT_ONCE]
    )
    if not lost:
        return 0
    ids = [delivery.pk for delivery in lost]
    Attempt.objects.filter(delivery__in=ids, outcome=Outcome.IN_FLIGHT).update(
        outcome=Outcome.WORKER_LOST,
        finished_at=now,
        error_message="Our worker stopped before the answer was noted.",
    )
    released = {
        "lease_token": None,
        "lease_until": None,
        "loss_count": F("loss_count") + 1,
        "last_http_status": None,
        "last_error": Outcome.WORKER_LOST,
        "updated_at": now,
    }
    worn_out = Q(loss_count__gte=LOSSES_AT_MOST - 1)
    rows = Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.IN_FLIGHT)
    rows.filter(worn_out).update(
        **released, retry_at=None, status=DeliveryStatus.EXHAUSTED, next_attempt_at=now
    )
    rows.filter(~worn_out).update(**released, status=DeliveryStatus.PENDING, next_attempt_at=now)
    logger.warning("%d webhook deliveries were lost with their worker; due again", len(ids))
    return len(ids)
