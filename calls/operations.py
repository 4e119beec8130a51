"""What can be done with calls. Every road (voice providers, import, replay) comes through here.

A call is told in one message or in several, twice, late, or by two at once. So the messages are
merged into one row: what is known stays, what is new comes to it, and each event goes out once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from appointments.links import Deed
from appointments.models import Appointment
from calls import sentiment
from calls.models import Call, Outcome, Status
from calls.report import CallReport
from calls.serializers import CallWithTranscript
from calls.transcripts import caller_text, mask, mask_turns, summarise, tidy, words_of
from customers.models import Customer
from customers.operations import InvalidPhone, find_or_create_by_phone
from customers.phones import to_e164
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write, queue_for
from webhooks.operations import record_event

BY_PROVIDER: Final = "provider"
_CUSTOMER_SOURCE: Final = "voice"


@atomic_write
def ingest_call(*, business: Business, provider: str, report: CallReport, now: datetime) -> Call:
    """`merge_report` in a transaction of its own."""
    return merge_report(business=business, provider=provider, report=report, now=now)


def merge_report(*, business: Business, provider: str, report: CallReport, now: datetime) -> Call:
    """The call with what `report` adds to it, and the events that follow. Call it in a transaction.

    `call.missed` goes out at once. `call.completed` waits for the analysis: see `finish_call`. What
    comes after it makes `call.analyzed`. Raises Unreadable.
    """
    report.check(now=now)
    known = _lock(business, provider, report)
    return _take_in(known or _new_call(business, provider, report, now), report, now)


@atomic_write
def finish_call(*, call_id: int, now: datetime) -> Call | None:
    """Scores and sums up a completed call where its provider has not, and sends `call.completed`.

    None where somebody else has done it meanwhile.
    """
    # Locks the call: a late analysis queues here.
    waiting = Call.objects.select_for_update(no_key=True, of=("self",)).due(now)
    call = waiting.select_related("business", "customer").filter(pk=call_id).first()
    if call is not None:
        _complete(call, now)
        call.save()
        _tell("call.completed", call, now)
    return call


def finish_due_calls(*, now: datetime, limit: int = 500) -> int:
    """`finish_call` for each call that is due; how many there were."""
    due = list(Call.objects.due(now).order_by("announce_at").values_list("pk", flat=True)[:limit])
    return sum(finish_call(call_id=call_id, now=now) is not None for call_id in due)


@atomic_write
def link_appointment(deed: Deed, *, appointment: Appointment, call_id: int) -> None:
    """Notes in the call what was done to `appointment` in it. Called in the transaction that did it,
    after the locks of staff member, appointment and customer.

    A booking stays the call's outcome; else it is what was done last.
    """
    calls = Call.objects.for_business(appointment.business_id).select_for_update(no_key=True)
    call = calls.get(pk=call_id)
    if deed == "booked" or call.outcome != Outcome.BOOKED:
        call.appointment = appointment
        call.outcome = deed
    if call.customer_id is None:
        call.customer_id = appointment.customer_id
    call.save(update_fields=["appointment", "outcome", "customer", "updated_at"])


class AppointmentLink:
    """The side of calls in `appointments.links`."""

    def exists(self, *, business: Business, call_id: int) -> bool:
        return Call.objects.for_business(business).filter(pk=call_id).exists()

    def happened(self, deed: Deed, *, appointment: Appointment, call_id: int) -> None:
        link_appointment(deed, appointment=appointment, call_id=call_id)


# --- Merging -------------------------------------------------------------------------------------


def _lock(business: Business, provider: str, report: CallReport) -> Call | None:
    """Locks the call, also where nobody has told of it yet: messages about one call queue here."""
    queue_for("call", business.pk, provider, report.provider_call_id)
    call: Call | None = _LOCKED.first(
        business_id=business.pk, provider=provider, provider_call_id=report.provider_call_id
    )
    return call


def _locked(business_id: int, provider: str, provider_call_id: str) -> QuerySet[Any]:
    calls = Call.objects.for_business(business_id).select_related("business", "customer")
    told = calls.filter(provider=provider, provider_call_id=provider_call_id)
    return told.select_for_update(no_key=True, of=("self",))


_LOCKED: Final = Prepared(_locked)


def _new_call(business: Business, provider: str, report: CallReport, now: datetime) -> Call:
    return Call(
        business=business,
        provider=provider,
        provider_call_id=report.provider_call_id,
        started_at=report.started_at or _start_by_end(report) or now,
    )


def _start_by_end(report: CallReport) -> datetime | None:
    if report.ended_at is None:
        return None
    return report.ended_at - timedelta(seconds=report.duration_seconds or 0)


def _take_in(call: Call, report: CallReport, now: datetime) -> Call:
    """Merges `report` into `call`, saves it and tells what has become of it."""
    was_over, before, stored = call.is_over, _analysis(call), _columns(call)
    _merge_facts(call, report, now)
    _merge_analysis(call, report)
    if call.customer_id is None:
        call.customer = _customer_of(call, report.caller_name, now)
    event = _next_event(call, report, was_over=was_over, before=before, now=now)
    # Nothing new: `updated_at` stays, and nobody reads the call again.
    if call._state.adding or _columns(call) != stored:
        call.save()
    if event:
        _tell(event, call, now)
    return call


def _merge_facts(call: Call, report: CallReport, now: datetime) -> None:
    country = call.business.country
    call.direction = report.direction or call.direction
    call.from_number = call.from_number or _number(report.from_number, country)
    call.to_number = call.to_number or _number(report.to_number, country)
    # Without a time of the provider the call began when we first heard of it: never too early.
    call.started_at = min(call.started_at, report.started_at or call.started_at)
    call.ended_at = report.ended_at or call.ended_at
    call.end_reason = call.end_reason or report.end_reason[:100]
    call.recording_url = report.recording_url or call.recording_url
    if not call.is_over and report.status:
        # The first end is the end: a call is completed or missed, never both.
        call.status = report.status
    if report.duration_seconds is not None:
        call.duration_seconds = report.duration_seconds
    if call.is_over:
        _close(call, report, now)


def _close(call: Call, report: CallReport, now: datetime) -> None:
    """Fills in what of end and duration follows from the other."""
    if call.ended_at is None:
        length = timedelta(seconds=call.duration_seconds)
        call.ended_at = call.started_at + length if report.duration_seconds is not None else now
    call.ended_at = max(call.ended_at, call.started_at)
    if report.duration_seconds is None and not call.duration_seconds:
        spoken = call.ended_at - call.started_at
        call.duration_seconds = 0 if call.status == Status.MISSED else int(spoken.total_seconds())


def _merge_analysis(call: Call, report: CallReport) -> None:
    turns = tidy(report.turns)
    summary = report.summary
    if call.business.mask_transcripts:
        turns, summary = mask_turns(turns), mask(summary)
    # A message with fewer turns is an older one.
    if len(turns) >= len(call.transcript) and turns:
        call.transcript = turns
    call.summary = summary or call.summary
    call.words = words_of(call.transcript, call.summary)
    # What was done in the call goes before what is said of it.
    if report.outcome and call.outcome != Outcome.BOOKED and call.appointment_id is None:
        call.outcome = report.outcome
    if report.sentiment:
        call.sentiment, call.sentiment_source = report.sentiment, BY_PROVIDER
        call.sentiment_score = report.sentiment_score


def _columns(call: Call) -> dict[str, Any]:
    return {column.attname: getattr(call, column.attname) for column in Call._meta.concrete_fields}


def _analysis(call: Call) -> tuple[Any, ...]:
    return (call.sentiment, call.sentiment_score, call.summary, call.recording_url, call.transcript)


def _customer_of(call: Call, name: str, now: datetime) -> Customer | None:
    """The person at the other end. Unknown callers become customers; unknown people whom the
    business has called do not, and a withheld number is nobody."""
    number = call.caller_number
    if not number.startswith("+"):
        return None
    if call.direction == "outbound":
        return Customer.objects.for_business(call.business).with_phone(number).first()
    try:
        customer, _ = find_or_create_by_phone(
            business=call.business,
            phone=number,
            name=name[:200],
            source=_CUSTOMER_SOURCE,
            now=now,
        )
    except InvalidPhone:
        return None
    return customer


def _number(text: str, country: str) -> str:
    """E.164 where it is a phone number; as it stands where it is something else."""
    try:
        return to_e164(text, country=country) if text else ""
    except ValueError:
        return text


# --- Ends and events -----------------------------------------------------------------------------


def _next_event(
    call: Call, report: CallReport, *, was_over: bool, before: tuple[Any, ...], now: datetime
) -> str | None:
    """What is to be told now, with the columns set that say so."""
    if call.announced_at is not None:
        return "call.analyzed" if _analysis(call) != before else None
    # A message of the beginning that comes late changes nothing about the end.
    if not call.is_over or call.status == Status.FAILED or report.status == Status.IN_PROGRESS:
        return None
    if call.status == Status.MISSED:
        call.outcome = call.outcome or Outcome.MISSED
        call.announced_at = now
        return "call.missed"
    if report.more_to_come:
        wait = timedelta(seconds=settings.CALL_ANALYSIS_WAIT_SECONDS)
        call.announce_at = call.announce_at if was_over and call.announce_at else now + wait
        return None
    if _needs_score(call):
        call.announce_at = now  # for the task that scores
        return None
    _complete(call, now)
    return "call.completed"


def _needs_score(call: Call) -> bool:
    return not call.sentiment_source and bool(caller_text(call.transcript))


def _complete(call: Call, now: datetime) -> None:
    """Fills in what the provider has left open."""
    if _needs_score(call):
        score = sentiment.score(caller_text(call.transcript))
        call.sentiment_source = sentiment.METHOD
        if score is not None:
            call.sentiment, call.sentiment_score = score.sentiment, score.value
    if not call.summary:
        call.summary = summarise(call.transcript)
        call.words = words_of(call.transcript, call.summary)
    if not call.outcome:
        call.outcome = Outcome.INFORMATION if call.summary else Outcome.OTHER
    call.announce_at, call.announced_at = None, now


def _tell(type: str, call: Call, now: datetime) -> None:
    # One key for both ends: a call is told as completed or as missed, and once.
    key = None if type == "call.analyzed" else f"call.ended:{call.pk}"
    data: Mapping[str, Any] = CallWithTranscript.render(call)
    record_event(business=call.business, type=type, data=data, now=now, key=key)
