"""Queue of due deliveries: claims with a lease and an attempt row, committed before each request.

Each step is safe on many machines at once. The holder of a lease may record the result until it
expires (`webhooks.delivery_results`); after that a sweep marks the attempt `worker_lost` and the
delivery is due again. So a request may be sent twice, but none is lost and none is sent without a
row in the log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, F, JSONField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.encrypted_fields import DecryptionError
from kaivox.db.lookups import AnyOf
from kaivox.db.transactions import atomic_write
from webhooks.attempt_headers import attempt_headers
from webhooks.custom_headers import headers_of, masked
from webhooks.models import Attempt, AttemptOutcome, Delivery, DeliveryStatus, Endpoint
from webhooks.querysets import unless_delivered
from webhooks.rate_limits import RateAllowances

logger = logging.getLogger(__name__)

# A delivery is exhausted after this many lost workers: its request may be what kills them.
MAX_LOST_ATTEMPTS: Final = 5
_LOST_BATCH_SIZE: Final = 500
# The largest `max_in_flight` that an endpoint can have.
_MAX_IN_FLIGHT: Final = 16

# Endpoints whose secret cannot be decrypted: logged once each, not at every sweep.
logged_endpoints: set[int] = set()


@dataclass(frozen=True, slots=True, eq=False)
class ClaimedDelivery:
    """A delivery leased to this worker; its attempt row is committed."""

    token: UUID
    business_id: int
    endpoint_id: int
    delivery_id: int
    number: int
    trigger: str
    url: str
    headers: Mapping[str, str]
    extra_headers: Mapping[str, str]  # the user's own, perhaps secret: never logged
    body: bytes
    endpoint_is_failing: bool  # has failed since its last success
    event_type: str
    parent_span: (
        str  # traceparent of the request that made the event; empty where it was not traced
    )


# --- Claims -------------------------------------------------------------------------------------


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
def claim_due(
    *, limit: int, now: datetime, max_failing: int | None = None
) -> list[ClaimedDelivery]:
    """Claims up to `limit` due deliveries, at most `max_failing` of them for failing endpoints.

    Endpoints are served in random order, each up to the requests that it may have in flight.
    """
    waiting = _endpoints_with_due(now)
    if max_failing == 0:
        waiting = waiting.filter(failing_since__isnull=True)
    # Locks these endpoints: a concurrent claim skips them, so two workers that count at once cannot
    # exceed the number in flight.
    locked = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",))
    endpoints = {
        endpoint.pk: endpoint
        for endpoint in locked.order_by("?")[:limit]
        if _has_signing_secret(endpoint, now)
    }
    if not endpoints:
        return []
    chosen = _pick_fairly(
        endpoints.values(), limit, limit if max_failing is None else max_failing, now
    )
    token = uuid4()
    lease_until = now + timedelta(seconds=settings.WEBHOOK_LEASE_SECONDS)
    # Filters by status again: the ids were read before the lock.
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
    """Endpoints with due deliveries and fewer requests in flight than they may have; `due_ids` are
    their first due deliveries."""
    passing = Delivery.objects.due(now).passing_breaker(now).in_turn()
    due = passing.filter(endpoint=OuterRef("pk"))
    first = due.order_by("next_attempt_at", "pk").values(found=F("pk"))[:_MAX_IN_FLIGHT]
    in_flight = Delivery.objects.filter(endpoint=OuterRef("pk"), status=DeliveryStatus.IN_FLIGHT)
    busy = in_flight.order_by().values("endpoint").annotate(busy=Count("pk")).values("busy")
    return (
        Endpoint.objects.sendable(now)
        .annotate(busy=Coalesce(Subquery(busy), 0))
        .filter(
            Q(limited_until__isnull=True) | Q(limited_until__lte=now),
            Exists(due),
            busy__lt=F("max_in_flight"),
        )
        .annotate(due_ids=_FirstIds(first))
    )


def _one_with_due(now: datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = _endpoints_with_due(now).order_by().values_list("pk")[:1]
    return rows


_ONE_WITH_DUE: Final = CompiledQuery(_one_with_due)


def has_due(now: datetime) -> bool:
    """Whether anything is due; another process may be claiming it at this moment."""
    return _ONE_WITH_DUE.first(now=now) is not None


def _has_signing_secret(endpoint: Endpoint, now: datetime) -> bool:
    with suppress(DecryptionError):
        headers_of(endpoint)
        if endpoint.secrets(now):
            return True
    if endpoint.pk not in logged_endpoints:
        logged_endpoints.add(endpoint.pk)
        logger.error(
            "Webhooks to endpoint %s wait: its secret or headers were encrypted with another SECRET_KEY. "
            "Add that key to SECRET_KEY_FALLBACKS, or rotate the secret and set the headers again.",
            endpoint.pk,
        )
    return False


def _pick_fairly(
    endpoints: Iterable[Any], limit: int, max_failing: int, now: datetime
) -> list[int]:
    """Ids of deliveries, round-robin over the endpoints, until a limit is reached."""
    endpoints = list(endpoints)
    busy = _in_flight([endpoint.pk for endpoint in endpoints])
    rates = RateAllowances(endpoints, now)
    allowed = {
        endpoint.pk: rates.limit(
            endpoint,
            min(_allowed_at_once(endpoint) - busy.get(endpoint.pk, 0), len(endpoint.due_ids)),
        )
        for endpoint in endpoints
    }
    chosen = list(islice(_in_turns(endpoints, allowed, max_failing), limit))
    for endpoint in endpoints:
        if endpoint.rate_limit:
            rates.note_reached(endpoint, len(set(chosen).intersection(endpoint.due_ids)))
    return chosen


def _in_turns(
    endpoints: Sequence[Any], allowed: Mapping[int, int], max_failing: int
) -> Iterator[int]:
    for turn in range(_MAX_IN_FLIGHT):
        for endpoint in endpoints:
            if turn >= allowed[endpoint.pk]:
                continue
            if endpoint.failing_since is not None:
                if max_failing == 0:
                    continue
                max_failing -= 1
            yield endpoint.due_ids[turn]


def _allowed_at_once(endpoint: Endpoint) -> int:
    # Half-open breaker: a single request probes whether the endpoint has recovered.
    return 1 if endpoint.breaker_trips else endpoint.max_in_flight


def _in_flight(endpoint_ids: Sequence[int]) -> dict[int, int]:
    rows = Delivery.objects.filter(
        AnyOf("endpoint_id", endpoint_ids), status=DeliveryStatus.IN_FLIGHT
    ).values("endpoint_id")
    return {row["endpoint_id"]: row["busy"] for row in rows.annotate(busy=Count("pk"))}


def _claimed(delivery_ids: Sequence[int], token: UUID) -> Any:
    """The claimed rows as plain tuples: instances would cost CPU for each request sent."""
    return Delivery.objects.filter(AnyOf("pk", delivery_ids), lease_token=token).values_list(
        "pk",
        "business_id",
        "endpoint_id",
        "attempt_count",
        "trigger",
        "event__uid",
        "event__type",
        "event__body",
        "event__is_test",
        "event__traceparent",
        named=True,
    )


def _claim(row: Any, endpoint: Endpoint, token: UUID, now: datetime) -> ClaimedDelivery:
    body = bytes(row.event__body)
    return ClaimedDelivery(
        token=token,
        business_id=row.business_id,
        endpoint_id=endpoint.pk,
        delivery_id=row.pk,
        number=row.attempt_count,
        trigger=row.trigger,
        url=endpoint.url,
        headers=attempt_headers(row, body, endpoint, now),
        extra_headers=headers_of(endpoint),
        body=body,
        endpoint_is_failing=endpoint.failing_since is not None,
        event_type=row.event__type,
        parent_span=row.event__traceparent,
    )


def _open_attempts(claims: Sequence[ClaimedDelivery], now: datetime) -> None:
    started_at = connection.ops.adapt_datetimefield_value(now)
    rows = [
        (
            claim.business_id,
            claim.endpoint_id,
            claim.delivery_id,
            claim.number,
            claim.trigger,
            claim.url,
            json.dumps({**claim.headers, **masked(claim.extra_headers)}),
            started_at,
            b"",  # bound: SQLite would store a literal '' as text, which is not bytes
        )
        for claim in claims
    ]
    # Raw SQL, because it runs for each request: the ORM takes longer over a row than the database,
    # and writes another statement for each number of rows.
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO webhooks_attempt
                (business_id, endpoint_id, delivery_id, number, trigger, url, request_headers,
                 started_at, outcome, error_message, response_body, response_truncated, reconnects)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'in_flight', '', %s, false, 0)""",
            rows,
        )


# --- Expired leases -------------------------------------------------------------------------------------


@atomic_write
def release_expired_leases(*, now: datetime) -> int:
    """Makes deliveries of lost workers due again, without costing a retry; returns how many."""
    lost = list(
        Delivery.objects.lost(now)
        .select_for_update(skip_locked=True, no_key=True)
        .order_by("lease_until")[:_LOST_BATCH_SIZE]
    )
    if not lost:
        return 0
    ids = [delivery.pk for delivery in lost]
    Attempt.objects.filter(delivery__in=ids, outcome=AttemptOutcome.IN_FLIGHT).update(
        outcome=AttemptOutcome.WORKER_LOST,
        finished_at=now,
        error_message="Our worker stopped before it recorded the response.",
    )
    released = {
        "lease_token": None,
        "lease_until": None,
        "loss_count": F("loss_count") + 1,
        "last_http_status": None,
        "last_error": AttemptOutcome.WORKER_LOST,
        "updated_at": now,
    }
    exhausted = Q(loss_count__gte=MAX_LOST_ATTEMPTS - 1)
    rows = Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.IN_FLIGHT)
    rows.filter(exhausted).update(
        **released,
        retry_at=None,
        status=unless_delivered(DeliveryStatus.EXHAUSTED),
        next_attempt_at=now,
    )
    rows.filter(~exhausted).update(**released, status=DeliveryStatus.PENDING, next_attempt_at=now)
    logger.warning("%d webhook deliveries lost their worker and are due again", len(ids))
    return len(ids)
