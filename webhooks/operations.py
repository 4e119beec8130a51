"""Operations on webhooks: the only code that changes events, endpoints and deliveries by request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from kaivox.api.fields import format_instant
from kaivox.businesses.audit import Actor
from kaivox.businesses.models import Business
from kaivox.businesses.security_notices import notify_owners
from kaivox.db.clock import database_now, not_after_database_now
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.encrypted_fields import UndecryptableValue
from kaivox.db.statements import insert_or_ignore
from kaivox.db.transactions import atomic_join, atomic_write, write_transaction
from kaivox.errors import Conflict, Invalid, NotFound, PreconditionFailed
from webhooks import circuit_breaker
from webhooks.custom_headers import check_headers, masked_headers_of, pack
from webhooks.endpoint_values import (
    audit_endpoint,
    canonical_types,
    checked_url,
    creator_columns,
    header_changes,
)
from webhooks.event_bodies import new_event
from webhooks.event_filters import check_filters, matches
from webhooks.event_types import ALL_EVENTS, EVENT_TYPES
from webhooks.missed_events import recover_missed
from webhooks.models import (
    AttemptTrigger,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Event,
    RatePeriod,
)
from webhooks.signing import new_secret
from webhooks.wakeups import wake_workers_on_commit

MAX_ENDPOINTS: Final = 50
MAX_GRACE: Final = timedelta(days=7)
GRACE: Final = timedelta(hours=24)
_REPLAY_BATCH_SIZE: Final = 1000
# Columns that decide where events are sent: their last editor becomes the endpoint's creator.
ROUTING_COLUMNS: Final = frozenset({"url", "event_types", "filters", "custom_headers"})


class EndpointDisabled(Invalid):
    code = "endpoint_disabled"
    message = "This endpoint is switched off; switch it on first."


class DeliveryInFlight(Conflict):
    code = "delivery_in_flight"
    message = "A request for this delivery is in flight; wait until it has ended."


class TooManyEndpoints(Conflict):
    code = "too_many_endpoints"
    message = f"A business has at most {MAX_ENDPOINTS} webhook endpoints; delete one first."


# --- Events ------------------------------------------------------------------------------------


@atomic_join
def record_event(
    *,
    business: Business,
    type: str,
    data: Mapping[str, Any],
    now: datetime,
    key: str | None = None,
) -> Event:
    """Records an event and one delivery per subscriber: the only way to create events.

    Call it in the transaction of the change, so that both are committed or neither. `data` is the
    object as the API shows it, ready for JSON; the body is frozen here. `key` deduplicates several
    reports of one change: the first makes the event, the others return it.

    Raises KeyError for a type that `webhooks.event_types` does not list.
    """
    event = new_event(business, EVENT_TYPES[type].name, data, now, dedup_key=key)
    if key is None:
        event.save(force_insert=True)
    elif (known := _insert_or_get(event, key)) is not None:
        return known
    _deliver_to_subscribers([event], now)
    return event


@atomic_join
def record_events(
    *, business: Business, type: str, data: Sequence[Mapping[str, Any]], now: datetime
) -> list[Event]:
    """Records an event for each of `data`, as `record_event` does, in order: changes of one
    transaction. The number of queries does not depend on theirs. Raises KeyError as `record_event`."""
    name = EVENT_TYPES[type].name
    events = Event.objects.bulk_create([new_event(business, name, one, now) for one in data])
    _deliver_to_subscribers(events, now)
    return events


def _insert_or_get(event: Event, key: str) -> Event | None:
    """The event that exists under this key, or None if this one was inserted."""
    if insert_or_ignore(event):
        return None
    known: Event = Event.objects.for_business(event.business).get(dedup_key=key)
    return known


def _deliver_to_subscribers(events: Sequence[Event], now: datetime) -> None:
    """Inserts the deliveries of `events`, which are all of one business."""
    subscribers = _SUBSCRIBERS.rows(business_id=events[0].business_id)
    deliveries = [
        Delivery(
            business_id=event.business_id,
            event=event,
            endpoint=endpoint,
            object_key=event.object_key if endpoint.in_order else "",
            # Otherwise a web server whose clock is ahead would delay the delivery.
            next_attempt_at=not_after_database_now(now),
        )
        for event in events
        for endpoint in subscribers
        if event.type in endpoint.subscribed_types()
        and matches(endpoint.filters, bytes(event.body))
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        wake_workers_on_commit()


def _subscribers(business_id: int) -> QuerySet[Any]:
    # Only these columns: an endpoint whose secret cannot be decrypted must not fail a booking.
    rows = Endpoint.objects.filter(business=business_id, is_active=True)
    return rows.select_related("created_by_key").only(
        "id", "event_types", "filters", "in_order", "created_by_key", "created_by_key__scopes"
    )


_SUBSCRIBERS: Final = CompiledQuery(_subscribers)


# --- Endpoints ---------------------------------------------------------------------------------


def register_endpoint(
    *,
    business: Business,
    url: str,
    event_types: Sequence[str] = (ALL_EVENTS,),
    description: str = "",
    max_in_flight: int = 4,
    headers: Mapping[str, str] | None = None,
    filters: Sequence[Mapping[str, Any]] = (),
    rate_limit: int = 0,
    rate_limit_period: str = RatePeriod.MINUTE,
    in_order: bool = False,
    is_active: bool = True,
    actor: Actor = None,
    now: datetime,
) -> Endpoint:
    """Creates an endpoint with a new secret. Raises Invalid by field, TooManyEndpoints."""
    url = checked_url(url)  # resolves the name, so before the transaction
    endpoint = Endpoint(
        business=business,
        url=url,
        event_types=canonical_types(event_types),
        description=description,
        max_in_flight=max_in_flight,
        filters=check_filters(filters) or None,
        rate_limit=rate_limit,
        rate_limit_period=rate_limit_period,
        in_order=in_order,
        secret=new_secret(),
        custom_headers=pack(check_headers(headers or {})),
        **creator_columns(actor),
    )
    with write_transaction():
        # Locks the business's row: two at once could otherwise exceed the limit.
        Business.objects.select_for_update(no_key=True).get(pk=business.pk)
        if Endpoint.objects.for_business(business).not_deleted().count() >= MAX_ENDPOINTS:
            raise TooManyEndpoints
        endpoint.save(force_insert=True)
        if not is_active:
            circuit_breaker.disable(endpoint, DisabledReason.PAUSED, now=now)
        shown = {"event_types": endpoint.event_types}
        audit_endpoint(endpoint, actor, "webhook.added", shown, now=now)
        notify_owners(
            business=business,
            subject="A new KaiVox webhook endpoint was added",
            text=f"URL: {endpoint.url}\nEvents: {', '.join(endpoint.event_types)}",
            now=now,
        )
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
    headers: Mapping[str, str] | None = None,
    filters: Sequence[Mapping[str, Any]] | None = None,
    rate_limit: int | None = None,
    rate_limit_period: str | None = None,
    in_order: bool | None = None,
    actor: Actor = None,
) -> Endpoint:
    """Changes the passed values. Switching off cancels pending deliveries; switching on resets the
    failure counters. An actor who changes where events are sent, or switches the endpoint on,
    becomes its creator (`webhooks.authorization`).

    Raises Invalid by field; PreconditionFailed if it changed since `expected`.
    """
    changes: dict[str, Any] = {
        "url": None if url is None or url == endpoint.url else checked_url(url),
        "event_types": None if event_types is None else canonical_types(event_types),
        "description": description,
        "max_in_flight": max_in_flight,
        "filters": None if filters is None else check_filters(filters),
        "rate_limit": rate_limit,
        "rate_limit_period": rate_limit_period,
        "in_order": in_order,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    with write_transaction():
        locked = _locked(endpoint)
        if expected is not None and locked.updated_at != expected:
            raise PreconditionFailed
        if url is not None and "url" not in changes and url != locked.url:
            changes["url"] = checked_url(url)  # changed since `endpoint` was read
        before = {name: getattr(locked, name) for name in (*changes, "is_active")}
        shown_before = masked_headers_of(locked)
        if headers is not None or "url" in changes:
            changes |= header_changes(headers, locked, url=changes.get("url"))
        changed = {name for name in changes if changes[name] != before.get(name)}
        if (is_active and not locked.is_active) or changed & ROUTING_COLUMNS:
            changes |= creator_columns(actor)
        if changed & {"rate_limit", "rate_limit_period"}:
            changes["limited_until"] = None
        for name, value in changes.items():
            setattr(locked, name, value)
        if changes:
            locked.save(update_fields=[*changes, "updated_at"])
        if "in_order" in changed and not in_order:
            ordered = Delivery.objects.filter(endpoint=locked).exclude(object_key="")
            ordered.filter(status=DeliveryStatus.PENDING).update(object_key="")
        if is_active is False:
            circuit_breaker.disable(locked, DisabledReason.PAUSED, now=now)
        elif is_active and not locked.is_active:
            circuit_breaker.enable(locked)
        shown = {
            name: [value, getattr(locked, name)]
            for name, value in before.items()
            if value != getattr(locked, name)
        }
        if headers is not None:  # names only: the values may be secret
            shown["headers"] = [list(shown_before or ()), list(headers)]
        if shown:
            audit_endpoint(locked, actor, "webhook.changed", shown, now=now)
    return locked


@atomic_write
def delete_endpoint(
    *,
    endpoint: Endpoint,
    now: datetime,
    expected: datetime | None = None,
    actor: Actor = None,
) -> None:
    """Deletes `endpoint`: its secrets at once, its row and log when the log expires.

    Raises PreconditionFailed if it changed since `expected`.
    """
    locked = _locked(endpoint)
    if expected is not None and locked.updated_at != expected:
        raise PreconditionFailed
    circuit_breaker.disable(locked, DisabledReason.DELETED, now=now)
    locked.disabled_reason = DisabledReason.DELETED
    locked.deleted_at = now
    locked.secret, locked.previous_secret, locked.custom_headers = "", None, None
    secrets = ("secret", "previous_secret", "custom_headers")
    locked.save(update_fields=["disabled_reason", "deleted_at", *secrets, "updated_at"])
    audit_endpoint(locked, actor, "webhook.deleted", now=now)


@atomic_write
def rotate_secret(
    *, endpoint: Endpoint, now: datetime, grace: timedelta = GRACE, actor: Actor = None
) -> Endpoint:
    """Sets a new secret. The old one signs beside it for `grace` (0 to 7 days).

    Raises Invalid for any other grace.
    """
    if not timedelta(0) <= grace <= MAX_GRACE:
        raise Invalid(errors={"grace_seconds": ["Between 0 and 604800 seconds (7 days)."]})
    locked = _locked(endpoint)
    keeps_old = grace and not isinstance(locked.secret, UndecryptableValue)
    locked.previous_secret = locked.secret if keeps_old else None
    locked.previous_secret_expires_at = now + grace if keeps_old else None
    locked.secret = new_secret()
    locked.save(
        update_fields=["secret", "previous_secret", "previous_secret_expires_at", "updated_at"]
    )
    shown = {"grace_seconds": int(grace.total_seconds())}
    audit_endpoint(locked, actor, "webhook.secret_rotated", shown, now=now)
    return locked


# --- Manual and repeated deliveries -------------------------------------------------------------


@atomic_write
def send_test_event(*, endpoint: Endpoint, type: str, now: datetime) -> Delivery:
    """Queues the example of `type` for this endpoint only, whether it subscribes to it or not.

    Raises Invalid for an unknown type, EndpointDisabled.
    """
    if not endpoint.is_active:
        raise EndpointDisabled
    (name,) = canonical_types([type], field="event_type", allow_everything=False)
    event = new_event(endpoint.business, name, EVENT_TYPES[name].example, now, is_test=True)
    event.save(force_insert=True)
    delivery = Delivery.objects.create(
        business_id=endpoint.business_id,
        event=event,
        endpoint=endpoint,
        trigger=AttemptTrigger.TEST,
        next_attempt_at=min(now, database_now()),
    )
    audit_endpoint(endpoint, None, "webhook.tested", {"event_type": name}, now=now)
    wake_workers_on_commit()
    return delivery


@atomic_write
def redeliver(*, delivery: Delivery, now: datetime) -> Delivery:
    """Queues one more attempt now, whatever its status. A scheduled retry stays scheduled.

    Raises DeliveryInFlight, EndpointDisabled.
    """
    # Locks the delivery against a concurrent claim.
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
    locked.trigger = AttemptTrigger.MANUAL
    locked.next_attempt_at = min(now, database_now())
    locked.save(update_fields=["status", "trigger", "next_attempt_at", "updated_at"])
    audit_endpoint(
        locked.endpoint, None, "webhook.redelivered", {"event_id": locked.event.uid}, now=now
    )
    wake_workers_on_commit()
    return locked


def replay(
    *, endpoint: Endpoint, since: datetime, now: datetime, until: datetime | None = None
) -> int:
    """Queues what `endpoint` missed of the events from `since` to `until`: exhausted and cancelled
    deliveries, and events that happened while it was switched off. Returns how many.

    Idempotent: a second call queues nothing twice. Raises EndpointDisabled.
    """
    if not endpoint.is_active:
        raise EndpointDisabled
    # In a transaction of its own, before the batches: after a crash it says what was begun.
    audit_endpoint(endpoint, None, "webhook.replayed", {"since": format_instant(since)}, now=now)
    return recover_missed(
        endpoint=endpoint, since=since, until=until or now, now=now, batch_size=_REPLAY_BATCH_SIZE
    )


def _locked(endpoint: Endpoint) -> Endpoint:
    """The row of `endpoint`, locked. Raises NotFound if it was deleted meanwhile."""
    rows = Endpoint.objects.not_deleted().select_for_update(no_key=True)
    locked: Endpoint | None = rows.filter(pk=endpoint.pk).first()
    if locked is None:
        raise NotFound
    return locked
