"""How long is what was said kept? As many days as the business says; without a number, for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from calls.models import Call, CallQuerySet, Message
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from webhooks.redaction import redact_events

_BATCH: Final = 500


def forget_old_transcripts(*, now: datetime) -> int:
    """Empties the transcripts that are older than their business keeps them; returns how many.

    Everywhere: in the calls, in the messages that brought them, in the bodies of events. Summary,
    sentiment and outcome stay.
    """
    count = 0
    for business in Business.objects.filter(transcript_retention_days__isnull=False):
        before = now - timedelta(days=business.transcript_retention_days or 0)
        old = Call.objects.for_business(business).filter(started_at__lt=before)
        while emptied := _empty_transcripts(business, old.exclude(transcript=[])):
            count += emptied
    return count


@atomic_write
def _empty_transcripts(business: Business, old: CallQuerySet) -> int:
    """The first 500 of `old`, in a transaction of their own; how many there were."""
    ids = list(old.order_by("pk").values_list("pk", flat=True)[:_BATCH])
    Call.objects.filter(pk__in=ids).update(transcript=[], words="")
    Message.objects.filter(call__in=ids).delete()
    redact_events(business=business, kind="call", object_ids=ids, redact=_without_transcript)
    return len(ids)


def _without_transcript(data: dict[str, Any]) -> None:
    data["transcript"] = []
