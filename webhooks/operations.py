"""What can be done with webhooks. Every road (API, admin, commands, other apps) comes through here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.constants import OnConflict

from kaivox.api.prepared import Prepared
from kaivox.businesses.encryption import Unreadable
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_part, atomic_write, write_transaction
from kaivox.errors import Conflict, Invalid, PreconditionFailed
from webhooks import endpoint_health
from webhooks.destinations import BadDestination, check_url
from webhooks.event_types import EVENT_TYPES, EVERYTHING, canonical
from webhooks.hints import nudge_on_commit
from webhooks.models import (
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Event,
    Trigger,
)
from webhooks.signing import new_secret

API_VERSION: Final = "v1"
ENDPOINTS_AT_MOST: Final = 50
GRACE_AT_MOST: Final = timedelta(days=7)
GRACE: Final = timedelta(hours=24)
_REPLAYED_AT_ONCE: Final = 1000


class EndpointDisabled(Invalid):
    code = "endpoint_disabled"
    message = "This endpoint is switched off; switch it on first."


class DeliveryInFlight(Conflict):
    code = "delivery_in_flight"
    message = "A request for this delivery is under way; wait for its end."


class TooManyEndpoints(Conflict):
    code = "too_many_endpoints"
    message = f"A business has at most {ENDPOINTS_AT_MOST} webhook endpoints; delete one first."


# --- Events ------------------------------------------------------------------------------------


@atomic_part
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
    event = _new_event(business, EVENT_TYPES[type].name, data, now, dedup_key=key)
    if key is None:
        event.save(force_insert=True)
    elif (known := _insert_unless_told(event, key)) is not None:
        return known
    _deliver_to_subscribers(event, now)
    return event


def _insert_unless_told(event: Event, key: str) -> Event | None:
    """The event that was made under this key before, or None where this one is the first."""
    # ON CONFLICT DO NOTHING, which waits for another transaction that tells the same change: what
    # `save` in a savepoint would do, in one statement instead of three.
    columns = [column for column in Event._meta.concrete_fields if not column.primary_key]
    [inserted] = Event.objects._insert(  # type: ignore[attr-defined]
        [event],
        columns,
        using=connection.alias,
        returning_fields=[Event._meta.pk],
        on_conflict=OnConflict.IGNORE,
    )
    if inserted is None:
        known: Event = Event.objects.for_business(event.business).get(dedup_key=key)
        return known
    (event.pk,) = inserted
    event._state.adding = False
    return None


def _deliver_to_subscribers(event: Event, now: datetime) -> None:
    deliveries = [
        Delivery(business_id=event.business_id, event=event, endpoint=endpoint, next_attempt_at=now)
        for endpoint in _LISTENING.rows(business_id=event.business_id)
        if endpoint.subscribes_to(event.type)
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        nudge_on_commit()


def _listening(business_id: int) -> QuerySet[Any]:
    # Only these columns: an endpoint whose secret cannot be read must not stop a booking.
    return Endpoint.objects.filter(business=business_id, is_active=True).only("id", "event_types")


_LISTENING: Final = Prepared(_listening)


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


# --- Endpoints ---------------------------------------------------------------------------------


def register_endpoint(
    *,
    business: Business,
    url: str,
    event_types: Sequence[str] = (EVERYTHING,),
    description: str = "",
    max_in_flight: int = 4,
) -> Endpoint:
    """A new receiver, with a secret of its own. Raises Invalid by field, TooManyEndpoints."""
    url = _vetted(url)  # looks the name up, so before the transaction
    endpoint = Endpoint(
        business=business,
        url=url,
        event_types=_canonical(event_types),
        description=description,
        max_in_flight=max_in_flight,
        secret=new_secret(),
    )
    with write_transaction():
        # Locks the business's row: two at once must not both be the fiftieth.
        Business.objects.select_for_update(no_key=True).get(pk=business.pk)
        if Endpoint.objects.for_business(business).kept().count() >= ENDPOINTS_AT_MOST:
            raise TooManyEndpoints
        endpoint.save(force_insert=True)
    return endpoint


def update_endpoint(
    *,
    endpoint: Endpoint,
    now: datetime,
    expected: datetime | None = None,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
    description: str | None = None,
    max_in_flight: int | None = None,
    is_active: bool | None = None,
) -> Endpoint:
    """Changes what is given. Switching off calls off what waits; switching on forgives the past.

    Raises Invalid by field; PreconditionFailed where it changed since `expected`.
    """
    changes: dict[str, Any] = {
        "url": None if url is None or url == endpoint.url else _vetted(url),
        "event_types": None if event_types is None else _canonical(event_types),
        "description": description,
        "max_in_flight": max_in_flight,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    with write_transaction():
        locked = _locked(endpoint)
        if expected is not None and locked.updated_at != expected:
            raise PreconditionFailed
        for name, value in changes.items():
            setattr(locked, name, value)
        if changes:
            locked.save(update_fields=[*changes, "updated_at"])
        if is_active is False:
            endpoint_health.switch_off(locked, DisabledReason.PAUSED, now=now)
        elif is_active and not locked.is_active:
            endpoint_health.switch_on(locked)
    return locked


@atomic_write
def delete_endpoint(*, endpoint: Endpoint, now: datetime, expected: datetime | None = None) -> None:
    """Sends it nothing more. Its log stays for as long as any; its secret goes at once.

    Raises PreconditionFailed where it changed since `expected`.
    """
    locked = _locked(endpoint)
    if expected is not None and locked.updated_at != expected:
        raise PreconditionFailed
    endpoint_health.switch_off(locked, DisabledReason.DELETED, now=now)
    locked.disabled_reason = DisabledReason.DELETED
    locked.deleted_at = now
    locked.secret, locked.previous_secret = "", None
    locked.save(
        update_fields=["disabled_reason", "deleted_at", "secret", "previous_secret", "updated_at"]
    )


@atomic_write
def rotate_secret(*, endpoint: Endpoint, now: datetime, grace: timedelta = GRACE) -> Endpoint:
    """A new secret. The old one signs beside it for `grace` (0 to 7 days), then no more.

    Raises Invalid for another grace.
    """
    if not timedelta(0) <= grace <= GRACE_AT_MOST:
        raise Invalid(errors={"grace_seconds": ["Between 0 and 604800 seconds (7 days)."]})
    locked = _locked(endpoint)
    keep = grace and not isinstance(locked.secret, Unreadable)
    locked.previous_secret = locked.secret if keep else None
    locked.previous_secret_expires_at = now + grace if keep else None
    locked.secret = new_secret()
    locked.save(
        update_fields=["secret", "previous_secret", "previous_secret_expires_at", "updated_at"]
    )
    return locked


# --- By hand -----------------------------------------------------------------------------------


@atomic_write
def send_test_event(*, endpoint: Endpoint, type: str, now: datetime) -> Delivery:
    """The example of `type`, to this endpoint alone, whether it subscribes to it or not.

    Raises Invalid for an unknown type, EndpointDisabled.
    """
    if not endpoint.is_active:
        raise EndpointDisabled
    (name,) = _canonical([type], field="event_type", allow_everything=False)
    event = _new_event(endpoint.business, name, EVENT_TYPES[name].example, now, is_test=True)
    event.save(force_insert=True)
    delivery = Delivery.objects.create(
        business_id=endpoint.business_id,
        event=event,
        endpoint=endpoint,
        trigger=Trigger.TEST,
        next_attempt_at=now,
    )
    nudge_on_commit()
    return delivery


@atomic_write
def redeliver(*, delivery: Delivery, now: datetime) -> Delivery:
    """Sends it once more, now, whatever became of it. What was planned stays planned.

    Raises DeliveryInFlight, EndpointDisabled.
    """
    # Locks the delivery: a claim of it comes before or after.
    locked: Delivery = (
        Delivery.objects.select_for_update(no_key=True, of=("self",))
        .select_related("event", "endpoint")
        .get(pk=delivery.pk)
    )
    if locked.status == DeliveryStatus.IN_FLIGHT:
        raise DeliveryInFlight
    if not locked.endpoint.is_active:
        raise EndpointDisabled
    locked.status = DeliveryStatus.PENDING
    locked.trigger = Trigger.MANUAL
    locked.next_attempt_at = now
    locked.save(update_fields=["status", "trigger", "next_attempt_at", "updated_at"])
    nudge_on_commit()
    return locked


def recover(
    *, endpoint: Endpoint, since: datetime, now: datetime, until: datetime | None = None
) -> int:
    """Sends what `endpoint` missed of the events from `since` to `until`: those that were given up
    or called off, and those that happened while it was switched off. Returns how many.

    Done twice it sends nothing twice. Raises EndpointDisabled.
    """
    if not endpoint.is_active:
        raise EndpointDisabled
    events = Event.objects.for_business(endpoint.business_id).filter(
        occurred_at__gte=since, occurred_at__lt=until or now, is_test=False
    )
    if EVERYTHING not in endpoint.event_types:
        events = events.filter(type__in=endpoint.event_types)
    replayed = 0
    while batch := _replay_some(endpoint, events, now):
        replayed += batch
    return replayed


@atomic_write
def _replay_some(endpoint: Endpoint, events: Any, now: datetime) -> int:
    sent = Delivery.objects.filter(endpoint=endpoint, event=OuterRef("pk"))
    unheard = events.filter(~Exists(sent)).order_by("pk")[:_REPLAYED_AT_ONCE]
    created = Delivery.objects.bulk_create(
        [
            Delivery(
                business_id=endpoint.business_id,
                event=event,
                endpoint=endpoint,
                next_attempt_at=now,
            )
            for event in unheard.only("pk")
        ]
    )
    # Older than this call: what it sends may be given up again before it is through.
    missed = Delivery.objects.filter(
        endpoint=endpoint,
        event__in=events,
        status__in=(DeliveryStatus.EXHAUSTED, DeliveryStatus.CANCELLED),
        updated_at__lt=now,
    )
    again = missed.order_by("pk").values_list("pk", flat=True)[:_REPLAYED_AT_ONCE]
    renewed = missed.filter(pk__in=list(again)).update(
        status=DeliveryStatus.PENDING,
        trigger=Trigger.AUTO,
        failure_count=0,
        loss_count=0,
        next_attempt_at=now,
        updated_at=now,
    )
    if created or renewed:
        nudge_on_commit()
    return len(created) + renewed


def _locked(endpoint: Endpoint) -> Endpoint:
    locked: Endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    return locked


def _vetted(url: str) -> str:
    try:
        # A look-up may take seconds, which no transaction of a caller shall.
        return check_url(url, look_up=not transaction.get_connection().in_atomic_block)
    except BadDestination as refusal:
        raise Invalid(errors={"url": [str(refusal)]}) from refusal


def _canonical(
    names: Sequence[str], *, field: str = "event_types", allow_everything: bool = True
) -> list[str]:
    try:
        found = list(dict.fromkeys(canonical(name) for name in names))
    except KeyError as unknown:
        raise Invalid(
            errors={field: [f"There is no event type {unknown}; GET /webhooks/event-types."]}
        ) from unknown
    if not found or (EVERYTHING in found and not allow_everything):
        raise Invalid(errors={field: ["Name an event type, like appointment.booked."]})
    return [EVERYTHING] if EVERYTHING in found else found
