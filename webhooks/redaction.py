"""Erasure of a person from stored event bodies.

Ids, types and times stay, and so does the log of what was sent where.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Final

from kaivox.businesses.models import Business
from kaivox.db.transactions import atomic_write
from webhooks.models import Attempt, Event

_BATCH_SIZE: Final = 500


@atomic_write
def redact_events(
    *,
    business: Business,
    kind: str,
    object_ids: Collection[int],
    redact: Callable[[dict[str, Any]], object],
) -> int:
    """Applies `redact` in place to the `data` of every event `<kind>.…` of these objects; returns how
    many. Stored responses of receivers are erased too: they may have echoed the body."""
    ids = sorted(object_ids)
    count = 0
    for start in range(0, len(ids), _BATCH_SIZE):
        events = list(
            Event.objects.for_business(business).filter(
                type__startswith=f"{kind}.", object_id__in=ids[start : start + _BATCH_SIZE]
            )
        )
        for event in events:
            body = json.loads(bytes(event.body))
            redact(body["data"])
            event.body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        Event.objects.bulk_update(events, ["body"], batch_size=_BATCH_SIZE)
        Attempt.objects.filter(delivery__event__in=events).update(response_body=b"")
        count += len(events)
    return count
