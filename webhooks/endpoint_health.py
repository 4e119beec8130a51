"""What do answers mean for their endpoint: is it well, left alone for a while, or switched off?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from webhooks import breaker
from webhooks.any_of import AnyOf
from webhooks.models import (
    Attempt,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Outcome,
)

# Ways to end that say something about the endpoint.
_UNTOLD = (Outcome.IN_FLIGHT, Outcome.WORKER_LOST)
_HEALTHY = {
    "breaker_until": None,
    "breaker_trips": 0,
    "failing_since": None,
    "exhausted_in_a_row": 0,
    "exhausted_since": None,
}


def note_successes(endpoint_ids: Collection[int]) -> None:
    """Closes breakers and forgets failures; writes nothing where there were none."""
    troubled = Q(failing_since__isnull=False) | Q(breaker_trips__gt=0) | Q(exhausted_in_a_row__gt=0)
    if endpoint_ids:
        Endpoint.objects.filter(troubled, AnyOf("pk", endpoint_ids)).update(**_HEALTHY)


def note_failures(endpoint: Endpoint, *, exhausted: int, gone: bool, now: datetime) -> None:
    """Saves what follows for `endpoint`, which is locked, from failures that were just noted.

    `exhausted`: how many deliveries were given up with them; `gone`: it answered 410.
    """
    endpoint.failing_since = endpoint.failing_since or now
    if exhausted:
        endpoint.exhausted_in_a_row += exhausted
        endpoint.exhausted_since = endpoint.exhausted_since or now
    _trip_breaker(endpoint, now)
    endpoint.save(
        update_fields=[
            "failing_since",
            "exhausted_in_a_row",
            "exhausted_since",
            "breaker_until",
            "breaker_trips",
        ]
    )
    if gone:
        switch_off(endpoint, DisabledReason.GONE, now=now)
    elif _failed_for_days(endpoint, now):
        switch_off(endpoint, DisabledReason.FAILING, now=now)


def switch_off(endpoint: Endpoint, reason: DisabledReason, *, now: datetime) -> None:
    """Sends it nothing more and calls off what waits. `endpoint` is locked."""
    if not endpoint.is_active:
        return
    endpoint.is_active = False
    endpoint.disabled_reason = reason
    endpoint.disabled_at = now
    endpoint.notified_at = None
    endpoint.save(
        update_fields=["is_active", "disabled_reason", "disabled_at", "notified_at", "updated_at"]
    )
    _call_off(Delivery.objects.filter(endpoint=endpoint), now)


def call_off_stranded(*, now: datetime) -> int:
    """Calls off what was recorded at the very moment in which its endpoint was switched off."""
    return _call_off(Delivery.objects.filter(endpoint__is_active=False), now)


def _call_off(deliveries: QuerySet[Delivery], now: datetime) -> int:
    return deliveries.filter(status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.CANCELLED, retry_at=None, updated_at=now
    )


def switch_on(endpoint: Endpoint) -> None:
    """Open again, with a clean record. `endpoint` is locked."""
    clean = {
        **_HEALTHY,
        "is_active": True,
        "disabled_reason": "",
        "disabled_at": None,
        "notified_at": None,
    }
    for name, value in clean.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*clean, "updated_at"])


def _trip_breaker(endpoint: Endpoint, now: datetime) -> None:
    if endpoint.breaker_until is not None and endpoint.breaker_until > now:
        return  # open already; this one was under way when it opened
    if endpoint.breaker_trips or breaker.opens(*_recent(endpoint, now)):
        endpoint.breaker_trips += 1
        endpoint.breaker_until = now + breaker.pause(endpoint.breaker_trips)


def _recent(endpoint: Endpoint, now: datetime) -> tuple[int, int]:
    """How many attempts of late, and how many of them failed."""
    outcomes = list(
        Attempt.objects.filter(endpoint=endpoint, started_at__gt=now - breaker.WINDOW)
        .exclude(outcome__in=_UNTOLD)
        .order_by("-started_at")
        .values_list("outcome", flat=True)[: breaker.SAMPLE]
    )
    return len(outcomes), sum(outcome != Outcome.SUCCEEDED for outcome in outcomes)


def _failed_for_days(endpoint: Endpoint, now: datetime) -> bool:
    return (
        endpoint.exhausted_since is not None
        and endpoint.exhausted_in_a_row >= breaker.EXHAUSTED_IN_A_ROW
        and now - endpoint.exhausted_since >= breaker.EXHAUSTED_FOR
    )
