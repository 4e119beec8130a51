"""What becomes of the frozen bodies of events when a person must be forgotten? They are frozen anew
without that person; ids, types and times stay, and so does the log of what was sent where."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Final

from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from webhooks.models import Attempt, Event

_BATCH: Final = 500


@atomic_write
def redact_events(
    *,
    business: Business,
    kind: str,
    object_ids: Collection[int],
    redact: Callable[[dict[str, Any]], object],
) -> int:
    """Lets `redact` change the `data` of every event `<kind>.…` of these objects, in place; returns
    how many events there were. What receivers answered goes too: they may have echoed the body."""
    ids = sorted(object_ids)
    count = 0
    for start in range(0, len(ids), _BATCH):
        events = list(
            Event.objects.for_business(business).filter(
                type__startswith=f"{kind}.", object_id__in=ids[start : start + _BATCH]
            )
        )
        for event in events:
            body = json.loads(bytes(event.body))
            redact(body["data"])
            event.body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        Event.objects.bulk_update(events, ["body"], batch_size=_BATCH)
        Attempt.objects.filter(delivery__event__in=events).update(response_body=b"")
        count += len(events)
    return count
