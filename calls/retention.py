"""Retention of transcripts: the days that the business sets, otherwise without limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from calls.models import Call, CallQuerySet, ProviderMessage
from calls.tool_calls import empty_old_tool_calls
from calls.transcripts import repeats_speech
from kaivox.businesses.models import Business
from kaivox.db.outages import sum_of_each
from kaivox.db.transactions import atomic_write
from webhooks.redaction import redact_events

_BATCH: Final = 500


def forget_old_transcripts(*, now: datetime) -> int:
    """Empties transcripts past the retention period of their business; returns their number.

    Everywhere: in the calls, in the provider messages, in the bodies of events, and in
    summaries that repeat what the caller said, as ours do. Other summaries, sentiment and outcome
    stay.
    """
    return sum_of_each(
        Business.objects.filter(transcript_retention_days__isnull=False).order_by("pk"),
        lambda business: _forget(business, now),
        failure="Old transcripts of %s cannot be emptied",
    )


def _forget(business: Business, now: datetime) -> int:
    before = now - timedelta(days=business.transcript_retention_days or 0)
    old = Call.objects.for_business(business).filter(started_at__lt=before)
    empty_old_tool_calls(business, before)
    count = 0
    while emptied := _empty_transcripts(business, old.exclude(transcript=[])):
        count += emptied
    return count


@atomic_write
def _empty_transcripts(business: Business, old: CallQuerySet) -> int:
    """The first 500 of `old`, in a transaction of their own; how many there were."""
    calls = list(old.order_by("pk").only("transcript", "summary")[:_BATCH])
    ids = [call.pk for call in calls]
    speech = [call.pk for call in calls if repeats_speech(call.summary, call.transcript)]
    Call.objects.filter(pk__in=speech).update(summary="")
    Call.objects.filter(pk__in=ids).update(transcript=[], words="", reported={})
    ProviderMessage.objects.filter(call__in=ids).delete()
    redact_events(business=business, kind="call", object_ids=ids, redact=_without_transcript)
    return len(ids)


def _without_transcript(data: dict[str, Any]) -> None:
    if repeats_speech(data["summary"], data["transcript"]):
        data["summary"] = ""
    data["transcript"] = []
