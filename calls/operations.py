"""State changes of calls, for voice providers, import and replay alike.

A call is reported in one message or in several, which may be repeated, late or concurrent. They are
merged into one row: known values stay, new ones are added, and each event is recorded once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from calls import sentiment
from calls.call_report import CallReport
from calls.links import link_awaited
from calls.masking import mask, mask_turns
from calls.models import MAX_END_REASON, MAX_NUMBER, Call, CallOutcome, CallStatus
from calls.reported import derive, record, utterances
from calls.serializers import CallWithTranscript
from calls.transcripts import caller_text, summarise, tidy, words_of
from customers.models import Customer
from customers.operations import InvalidPhone, find_or_create_by_phone
from customers.phones import to_e164
from kaivox.businesses.models import Business
from kaivox.db.clock import database_now
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.outages import sum_of_each
from kaivox.db.transactions import advisory_lock, atomic_write, write_transaction
from webhooks.operations import record_event

_OF_MISSED: Final = frozenset({CallOutcome.MISSED, CallOutcome.VOICEMAIL})

BY_PROVIDER: Final = "provider"
_CUSTOMER_SOURCE: Final = "voice"


def ingest_call(*, business: Business, provider: str, report: CallReport, now: datetime) -> Call:
    """`prepare_report`, then `upsert_call` in a transaction of its own. Raises UnparsableMessage."""
    report = prepare_report(business=business, report=report, now=now)
    with write_transaction():
        return upsert_call(business=business, provider=provider, report=report, now=now)


def prepare_report(*, business: Business, report: CallReport, now: datetime) -> CallReport:
    """`report` checked and masked. Call it outside a transaction: a long transcript takes time, and
    other messages about the call would wait for it. Raises UnparsableMessage."""
    report.check(now=now)
    turns, summary, utterance = tidy(report.turns), report.summary, report.utterance
    if business.mask_transcripts:
        turns, summary = mask_turns(turns), mask(summary)
        utterance = utterance and utterance._replace(text=mask(utterance.text))
    country = business.country
    return replace(
        report,
        from_number=_number(report.from_number, country),
        to_number=_number(report.to_number, country),
        end_reason=report.end_reason[:MAX_END_REASON],
        turns=turns,
        utterance=utterance,
        summary=summary,
    )


def upsert_call(*, business: Business, provider: str, report: CallReport, now: datetime) -> Call:
    """The call with what `report` (see `prepare_report`) adds to it, and the events that follow.
    Call it in a transaction.

    `call.missed` goes out at once. `call.completed` waits for the analysis: see `finish_call`. What
    comes after it makes `call.analyzed`.
    """
    known = _lock(business, provider, report)
    return _apply_report(known or _new_call(business, provider, report, now), report, now)


def finish_call(*, call_id: int, now: datetime) -> Call | None:
    """Scores and summarises a completed call where its provider has not; records `call.completed`.

    None where another process has done it, or where a message has changed the transcript since it
    was scored: the call stays due.
    """
    waiting = Call.objects.due(now).filter(pk=call_id).first()
    if waiting is None:
        return None
    # Before the lock: scoring a long transcript takes time.
    said = caller_text(waiting.transcript)
    score = sentiment.score(said) if _needs_score(waiting) else None
    return _finish(call_id=call_id, said=said, score=score, now=now)


@atomic_write
def _finish(
    *, call_id: int, said: str, score: sentiment.Score | None, now: datetime
) -> Call | None:
    waiting = Call.objects.select_for_update(no_key=True, of=("self",)).due(now)
    call: Call | None = waiting.select_related("business", "customer").filter(pk=call_id).first()
    if call is None or (_needs_score(call) and caller_text(call.transcript) != said):
        return None
    if _needs_score(call):
        call.sentiment_source = sentiment.METHOD
        if score is not None:
            call.sentiment, call.sentiment_score = score.sentiment, score.value
    _complete(call, now)
    call.save()
    _emit("call.completed", call, now)
    return call


def finish_due_calls(*, now: datetime, limit: int = 500) -> int:
    """Runs `finish_call` for each call that is due; returns how many it finished.

    A call that cannot be finished is logged and does not stop the others.
    """
    due = list(Call.objects.due(now).order_by("announce_at").values_list("pk", flat=True)[:limit])
    return sum_of_each(
        due,
        lambda call_id: int(finish_call(call_id=call_id, now=now) is not None),
        failure="Call %s cannot be finished",
    )


# --- Merging -------------------------------------------------------------------------------------


def _lock(business: Business, provider: str, report: CallReport) -> Call | None:
    """Locks the call, also before its first message is stored: messages about one call queue here."""
    advisory_lock("call", business.pk, provider, report.provider_call_id)
    call: Call | None = _LOCKED.first(
        business_id=business.pk, provider=provider, provider_call_id=report.provider_call_id
    )
    return call


def _locked(business_id: int, provider: str, provider_call_id: str) -> QuerySet[Any]:
    calls = Call.objects.for_business(business_id).select_related("business", "customer")
    rows = calls.filter(provider=provider, provider_call_id=provider_call_id)
    return rows.select_for_update(no_key=True, of=("self",))


_LOCKED: Final = CompiledQuery(_locked)


def _new_call(business: Business, provider: str, report: CallReport, now: datetime) -> Call:
    return Call(
        business=business,
        provider=provider,
        provider_call_id=report.provider_call_id,
        started_at=report.started_at or now,
    )


def _apply_report(call: Call, report: CallReport, now: datetime) -> Call:
    """Merges `report` into `call`, saves it and records the event that follows."""
    was_over, before, stored = call.is_over, _analysis(call), _field_values(call)
    _merge_facts(call, report, now)
    _merge_analysis(call, report)
    if call.customer_id is None and not call.reported.get("caller_doubtful"):
        call.customer = _customer_of(call, report.caller_name, now)
    event = _next_event(call, report, was_over=was_over, before=before, now=now)
    if call._state.adding:
        call.save()
        stored = _field_values(call)
        link_awaited(call)
    # Nothing new: `updated_at` stays, so clients that sync do not fetch the call again.
    if _field_values(call) != stored:
        call.save()
    if event:
        _emit(event, call, now)
    return call


def _merge_facts(call: Call, report: CallReport, now: datetime) -> None:
    call.direction = report.direction or call.direction
    call.from_number = call.from_number or report.from_number
    call.to_number = call.to_number or report.to_number
    call.end_reason = call.end_reason or report.end_reason
    call.recording_url = report.recording_url or call.recording_url
    if not call.is_over and report.status:
        # The first end is the end: a call is completed or missed, never both.
        call.status = report.status
    record(call, report, now=now)
    derive(call)


def _merge_analysis(call: Call, report: CallReport) -> None:
    if report.utterance is None:
        turns = list(report.turns)
    else:
        turns = tidy(utterances(call, newest=report.utterance.sequence))
    # A message with fewer turns is an older one.
    if len(turns) >= len(call.transcript) and turns:
        call.transcript = turns
    call.summary = report.summary or call.summary
    call.words = words_of(call.transcript, call.summary)
    # What was done in the call takes precedence over what the provider says of it.
    done = call.outcome == CallOutcome.BOOKED or call.appointment_id is not None
    fits = call.status != CallStatus.MISSED or report.outcome in _OF_MISSED
    if report.outcome and fits and not done:
        call.outcome = report.outcome
    if report.sentiment:
        call.sentiment, call.sentiment_source = report.sentiment, BY_PROVIDER
        call.sentiment_score = report.sentiment_score


def _field_values(call: Call) -> dict[str, Any]:
    return {column.attname: getattr(call, column.attname) for column in Call._meta.concrete_fields}


def _analysis(call: Call) -> tuple[Any, ...]:
    return (call.sentiment, call.sentiment_score, call.summary, call.recording_url, call.transcript)


def _customer_of(call: Call, name: str, now: datetime) -> Customer | None:
    """The person at the other end. Unknown callers become customers; unknown people whom the
    business has called do not, and a withheld number is no customer."""
    number = call.caller_number
    if not number.startswith("+"):
        return None
    if call._state.adding:
        # One who is erased at the same moment: `calls.privacy` waits for this call, or this for it.
        advisory_lock("caller", call.business_id, number, shared=True)
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
    """E.164 where it is a phone number; other text unchanged, cut to the column's length."""
    try:
        return to_e164(text, country=country) if text else ""
    except ValueError:
        return text[:MAX_NUMBER]


# --- Ends and events -----------------------------------------------------------------------------


def _next_event(
    call: Call, report: CallReport, *, was_over: bool, before: tuple[Any, ...], now: datetime
) -> str | None:
    """The type of the event that is due now; sets the columns of `call` that record it."""
    if call.announced_at is not None:
        # A subscriber who received `call.missed` expects no analysis of it.
        analysed = call.status == CallStatus.COMPLETED and _analysis(call) != before
        return "call.analyzed" if analysed else None
    if not call.is_over or call.status == CallStatus.FAILED:
        return None
    # A message without an end (a late start, a recording) does not end the wait for the analysis.
    if report.status in ("", CallStatus.IN_PROGRESS) and was_over:
        return None
    if call.status == CallStatus.MISSED:
        call.outcome = call.outcome or CallOutcome.MISSED
        call.announced_at = now
        return "call.missed"
    if report.more_to_come:
        wait = timedelta(seconds=settings.CALL_ANALYSIS_WAIT_SECONDS)
        if not (was_over and call.announce_at):
            call.announce_at = min(now, database_now()) + wait
        return None
    if _needs_score(call):
        call.announce_at = min(now, database_now())  # for the task that scores
        return None
    _complete(call, now)
    return "call.completed"


def _needs_score(call: Call) -> bool:
    return not call.sentiment_source and bool(caller_text(call.transcript))


def _complete(call: Call, now: datetime) -> None:
    """Fills in what the provider has left empty."""
    if not call.summary:
        call.summary = summarise(call.transcript)
        call.words = words_of(call.transcript, call.summary)
    if not call.outcome:
        call.outcome = CallOutcome.INFORMATION if call.summary else CallOutcome.OTHER
    call.announce_at, call.announced_at = None, now


def _emit(type: str, call: Call, now: datetime) -> None:
    # One key for both types: a call is completed or missed, and that is recorded once.
    key = None if type == "call.analyzed" else f"call.ended:{call.pk}"
    data: Mapping[str, Any] = CallWithTranscript.render(call)
    record_event(business=call.business, type=type, data=data, now=now, key=key)
