"""What can be done with webhooks. Every road (API, admin, commands, other apps) comes through here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from webhooks.event_types import EVENT_TYPES
from webhooks.hints import nudge_on_commit
from webhooks.models import Delivery, Endpoint, Event

API_VERSION: Final = "v1"


@atomic_write
def record_event(
    *,
    business: Business,
    type: str,
    data: Mapping[str, Any],
    now: datetime,
    key: str | None = None,
) -> Event:
    """Notes that something happened, and what is to be sent of it: the only door to events.

    Call it in the transaction of the change, so that both happen or neither. `data` is the object
    as the API shows it, ready for JSON; the body is frozen here. `key`: of several reports of one
    change the first makes the event, the others get it back.

    Raises KeyError for a type that `webhooks.event_types` does not list.
    """
    if key is not None:
        known = Event.objects.for_business(business).filter(dedup_key=key).first()
        if known is not None:
            return known
    event = _new_event(business, EVENT_TYPES[type].name, data, now, dedup_key=key)
    try:
        # A savepoint: another transaction may have told the same change meanwhile.
        with transaction.atomic():
            event.save(force_insert=True)
    except IntegrityError:
        if key is None:
            raise
        return Event.objects.for_business(business).get(dedup_key=key)
    _deliver_to_subscribers(event, now)
    return event


def _deliver_to_subscribers(event: Event, now: datetime) -> None:
    # Only these columns: an endpoint whose secret cannot be read must not stop a booking.
    endpoints = Endpoint.objects.filter(business_id=event.business_id, is_active=True).only(
        "id", "event_types"
    )
    deliveries = [
        Delivery(business_id=event.business_id, event=event, endpoint=endpoint, next_attempt_at=now)
        for endpoint in endpoints
        if endpoint.subscribes_to(event.type)
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        nudge_on_commit()


def _new_event(
    business: Business, type: str, data: Mapping[str, Any], now: datetime, **columns: Any
) -> Event:
    uid = _new_event_id(now)
    body = {
        "id": uid,
        "type": type,
        "created_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "business_id": business.pk,
        "livemode": business.livemode,
        "api_version": API_VERSION,
        "data": data,
    }
    object_id = data.get("id")
    return Event(
        uid=uid,
        business=business,
        type=type,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(),
        object_id=object_id if isinstance(object_id, int) else None,
        occurred_at=now,
        **columns,
    )


_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _new_event_id(now: datetime) -> str:
    """`evt_` and a ULID (github.com/ulid/spec): 48 bits of milliseconds, 80 of chance."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "evt_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
