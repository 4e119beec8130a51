"""Deliveries of what an endpoint missed: for `webhooks.operations.replay`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet

from kaivox.db.clock import not_after_database_now
from kaivox.db.transactions import atomic_write
from webhooks.event_filters import matches
from webhooks.event_types import EVENT_TYPES
from webhooks.models import AttemptTrigger, Delivery, DeliveryStatus, Endpoint, Event
from webhooks.wakeups import wake_workers_on_commit


def recover_missed(
    *, endpoint: Endpoint, since: datetime, until: datetime, now: datetime, batch_size: int
) -> int:
    """Queues failed and cancelled deliveries of events in [since, until), and creates those of events
    that matched while the endpoint was switched off. Returns how many; a batch is a transaction."""
    events = Event.objects.for_business(endpoint.business_id).filter(
        occurred_at__gte=since, occurred_at__lt=until, is_test=False
    )
    types = endpoint.subscribed_types()
    if len(types) < len(EVENT_TYPES):
        events = events.filter(type__in=types)
    recovered, last = 0, 0
    while (batch := _deliver_missing(endpoint, events.filter(pk__gt=last), batch_size, now)).last:
        recovered, last = recovered + batch.created, batch.last
    while requeued := _requeue(endpoint, events, batch_size, now):
        recovered += requeued
    return recovered


class _Batch(NamedTuple):
    created: int
    last: int  # the highest id of an event that was looked at; 0 if there was none


@atomic_write
def _deliver_missing(
    endpoint: Endpoint, events: QuerySet[Any], batch_size: int, now: datetime
) -> _Batch:
    known = Delivery.objects.filter(endpoint=endpoint, event=OuterRef("pk"))
    missing = events.filter(~Exists(known)).order_by("pk")
    # Bodies are read only where filters look at them.
    found = list(
        missing.only("pk", "type", "object_id", *(["body"] if endpoint.filters else []))[
            :batch_size
        ]
    )
    created = Delivery.objects.bulk_create(
        [
            Delivery(
                business_id=endpoint.business_id,
                event=event,
                endpoint=endpoint,
                object_key=event.object_key if endpoint.in_order else "",
                next_attempt_at=not_after_database_now(now),
            )
            for event in found
            if not endpoint.filters or matches(endpoint.filters, bytes(event.body))
        ]
    )
    if created:
        wake_workers_on_commit()
    return _Batch(len(created), found[-1].pk if found else 0)


@atomic_write
def _requeue(endpoint: Endpoint, events: QuerySet[Any], batch_size: int, now: datetime) -> int:
    # Only rows older than this call: a delivery queued by it may already be exhausted again.
    missed = Delivery.objects.filter(
        endpoint=endpoint,
        event__in=events,
        status__in=(DeliveryStatus.EXHAUSTED, DeliveryStatus.CANCELLED),
        updated_at__lt=now,
    )
    batch = missed.order_by("pk").values_list("pk", flat=True)[:batch_size]
    requeued = missed.filter(pk__in=list(batch)).update(
        status=DeliveryStatus.PENDING,
        trigger=AttemptTrigger.AUTO,
        failure_count=0,
        loss_count=0,
        next_attempt_at=not_after_database_now(now),
        updated_at=now,
    )
    if requeued:
        wake_workers_on_commit()
    return requeued
