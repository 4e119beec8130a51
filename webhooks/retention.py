"""Deletes old events with their deliveries and attempts, in small batches that block no delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef

from kaivox.db.transactions import atomic_write
from webhooks.models import Attempt, Delivery, DeliveryStatus, Endpoint, Event

_BATCH_SIZE: Final = 500
_UNFINISHED: Final = (DeliveryStatus.PENDING, DeliveryStatus.IN_FLIGHT)


def prune(*, before: datetime) -> int:
    """Deletes events from before that instant without unfinished deliveries; returns how many."""
    deleted = 0
    while batch := _prune_some(before):
        deleted += batch
    return deleted


@atomic_write
def _prune_some(before: datetime) -> int:
    unfinished = Delivery.objects.filter(event=OuterRef("pk"), status__in=_UNFINISHED)
    old = Event.objects.filter(~Exists(unfinished), occurred_at__lt=before)
    # Skips locked rows: concurrent tasks on two machines do not wait for each other.
    rows = old.select_for_update(skip_locked=True).order_by("occurred_at").only("pk")[:_BATCH_SIZE]
    ids = [event.pk for event in rows]
    if ids:
        Attempt.objects.filter(delivery__event__in=ids).delete()
        Delivery.objects.filter(event__in=ids).delete()
        Event.objects.filter(pk__in=ids).delete()
    else:
        _prune_deleted_endpoints()
    return len(ids)


def _prune_deleted_endpoints() -> None:
    with_log = Delivery.objects.filter(endpoint=OuterRef("pk"))
    Endpoint.objects.filter(~Exists(with_log), deleted_at__isnull=False).delete()
