"""Authorization of endpoints: they receive only events that their API key may read.

An endpoint stores who last decided where events are sent: an API key or a user. It never receives
more than that key could read itself, so it is paused when the key is revoked, expires or loses the
read scope of an event type that the endpoint subscribes to. A rotated key passes its endpoints on to
the new one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kaivox.businesses.models import ApiKey
from kaivox.db.transactions import atomic_write
from webhooks.circuit_breaker import disable
from webhooks.event_types import read_scopes_of
from webhooks.models import DisabledReason, Endpoint


class EndpointsOfKeys:
    """Observer of key changes (`kaivox.businesses.key_changes`): pauses or reassigns endpoints."""

    def changed(self, key: ApiKey, *, now: datetime) -> None:
        # Locks the endpoints in a fixed order, against concurrent updates and deadlocks.
        rows = Endpoint.objects.not_deleted().filter(created_by_key=key, is_active=True)
        for endpoint in rows.select_for_update(no_key=True).order_by("pk"):
            if not is_authorized(endpoint, key, now=now):
                disable(endpoint, DisabledReason.KEY_REVOKED, now=now)

    def replaced(self, old: ApiKey, *, new: ApiKey) -> None:
        Endpoint.objects.filter(created_by_key=old).update(created_by_key=new)


def is_authorized(endpoint: Endpoint, key: ApiKey, *, now: datetime) -> bool:
    """Whether `key` is valid at `now` and may read every event type of `endpoint`."""
    if key.is_revoked(now) or key.is_expired(now):
        return False
    return all(key.has_scope(scope) for scope in read_scopes_of(endpoint.event_types))


@atomic_write
def pause_endpoints_of_ended_keys(*, now: datetime) -> int:
    """Pauses endpoints whose key has expired, or whose rotation grace is over; returns how many.

    Until this runs, `EndpointQuerySet.sendable` already excludes them from that instant on.
    """
    ended = Endpoint.objects.not_deleted().filter(is_active=True, created_by_key__isnull=False)
    rows: Any = ended.exclude(created_by_key__in=ApiKey.objects.live(now))
    endpoints = list(rows.select_for_update(no_key=True, of=("self",)).order_by("pk"))
    for endpoint in endpoints:
        disable(endpoint, DisabledReason.KEY_REVOKED, now=now)
    return len(endpoints)
