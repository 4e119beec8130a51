"""Deliveries of what an endpoint missed: for `webhooks.operations.replay`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

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
    that matched while the endpoint was switched off. Returns how many; a batch is a transaction. Ends
    early where the endpoint is switched off meanwhile."""
    events = Event.objects.for_business(endpoint.business_id).filter(
        occurred_at__gte=since, occurred_at__lt=until, is_test=False
    )
    types = endpoint.subscribed_types()
    if len(types) < len(EVENT_TYPES):
        events = events.filter(type__in=types)
    recovered, last = 0, 0
    while (batch := _recover_some(endpoint, events.filter(pk__gt=last), batch_size, now)).last:
        recovered, last = recovered + batch.queued, batch.last
    return recovered


class _Batch(NamedTuple):
    queued: int
    last: int  # the highest id of an event that was looked at; 0 if there was none


@atomic_write
def _recover_some(
    endpoint: Endpoint, events: QuerySet[Any], batch_size: int, now: datetime
) -> _Batch:
    """The first of `events`, in their order: where the endpoint receives them in order, none may be sent
    before an earlier one that it missed as well."""
    # Locks the endpoint: of two calls at once the second sees what the first has queued.
    active = Endpoint.objects.filter(pk=endpoint.pk, is_active=True)
    if active.select_for_update(no_key=True).first() is None:
        return _Batch(0, 0)  # switched off meanwhile
    deliveries = Delivery.objects.filter(endpoint=endpoint)
    # Only rows older than this call: a delivery queued by it may already be exhausted again.
    failed = deliveries.filter(
        status__in=(DeliveryStatus.EXHAUSTED, DeliveryStatus.CANCELLED), updated_at__lt=now
    )
    is_known = Exists(deliveries.filter(event=OuterRef("pk")))
    missed = events.annotate(is_known=is_known).filter(
        Q(is_known=False) | Exists(failed.filter(event=OuterRef("pk")))
    )
    # Bodies are read only where filters look at them.
    columns = ["pk", "type", "object_id", *(["body"] if endpoint.filters else [])]
    found = list(missed.order_by("pk").only(*columns)[:batch_size])
    queued = failed.filter(event__in=[event.pk for event in found if event.is_known]).update(
        status=DeliveryStatus.PENDING,
        trigger=AttemptTrigger.AUTO,
        failure_count=0,
        loss_count=0,
        next_attempt_at=not_after_database_now(now),
        updated_at=now,
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
            if not event.is_known
            and (not endpoint.filters or matches(endpoint.filters, bytes(event.body)))
        ]
    )
    queued += len(created)
    if queued:
        wake_workers_on_commit()
    return _Batch(queued, found[-1].pk if found else 0)
