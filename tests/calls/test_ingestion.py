"""Messages about a call are merged, emit one event, and are linked to the customer."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from calls import operations, tasks
from calls.call_report import CallReport, UnparsableMessage
from calls.models import Call
from calls.transcripts import turn
from customers.models import Customer
from kaivox.db.clock import database_now
from kaivox.errors import Invalid
from tests.factories import make_business, make_call, make_customer
from webhooks.models import Event

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
STARTED = NOW - timedelta(minutes=5)
TURNS = [
    turn("agent", "Smile Dental, how can I help?", 0.5),
    turn("caller", "I would like to book a cleaning on Tuesday.", 3.0),
]
STARTING = CallReport(
    provider_call_id="c-1",
    status="in_progress",
    direction="inbound",
    from_number="098765 43210",
    to_number="+91 80 1234 5678",
    started_at=STARTED,
)
ENDING = replace(
    STARTING,
    status="completed",
    ended_at=STARTED + timedelta(seconds=100),
    end_reason="hangup",
    turns=TURNS,
    more_to_come=True,
)
ANALYSED = replace(
    ENDING,
    sentiment="positive",
    sentiment_score=0.8,
    summary="Wants a cleaning.",
    more_to_come=False,
)
MISSED = replace(STARTING, status="missed", end_reason="no-answer")


def ingest(business, *reports, now=NOW) -> Call:
    for report in reports:
        call = operations.ingest_call(business=business, provider="kaivox", report=report, now=now)
    return Call.objects.get(pk=call.pk)


def events() -> list[tuple[str, dict]]:
    """Of calls, in order: type and data."""
    rows = Event.objects.filter(type__startswith="call.").order_by("pk")
    return [(row.type, json.loads(bytes(row.body))["data"]) for row in rows]


def types() -> list[str]:
    return [type for type, _ in events()]


class TestOneMessage:
    def test_that_is_complete_emits_its_event_at_once(self, business):
        call = ingest(business, ANALYSED)
        assert (call.status, call.outcome, call.duration_seconds) == (
            "completed",
            "information",
            100,
        )
        [(type, data)] = events()
        assert type == "call.completed"
        assert data["transcript"] == [dict(one) for one in TURNS]
        assert data["sentiment"] == "positive"
        assert data["customer_name"] == "Caller +919876543210"
        assert data["updated_at"] == call.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def test_of_a_missed_call_emits_its_event_at_once(self, business):
        call = ingest(business, MISSED)
        assert (call.status, call.outcome, call.duration_seconds) == ("missed", "missed", 0)
        assert types() == ["call.missed"]

    def test_of_a_failed_call_emits_no_event(self, business):
        ingest(business, replace(MISSED, status="failed"))
        assert types() == []

    def test_of_a_beginning_leaves_the_call_open(self, business):
        call = ingest(business, STARTING)
        assert (call.status, call.outcome, call.ended_at) == ("in_progress", "", None)
        assert types() == []

    def test_derives_the_start_from_end_and_duration(self, business):
        report = replace(ANALYSED, started_at=None, duration_seconds=40)
        assert ingest(business, report).started_at == ANALYSED.ended_at - timedelta(seconds=40)

    def test_uses_the_time_of_receipt_where_none_is_reported(self, business):
        call = ingest(business, replace(STARTING, started_at=None))
        assert call.started_at == NOW

    @pytest.mark.parametrize(
        "wrong",
        (
            {"provider_call_id": ""},
            {"provider_call_id": "x" * 201},
            {"duration_seconds": -1},
            {"duration_seconds": 10**9},
            {"started_at": NOW + timedelta(days=1)},
            {"ended_at": datetime(1970, 1, 1, tzinfo=UTC)},
            {"ended_at": STARTED - timedelta(seconds=1)},
            {"sentiment_score": 1.5},
        ),
    )
    def test_of_an_impossible_call_is_rejected(self, business, wrong):
        with pytest.raises(UnparsableMessage):
            ingest(business, replace(ANALYSED, **wrong))
        assert not Call.objects.exists()

    def test_of_an_unknown_status_is_rejected_by_the_database(self, business):
        with pytest.raises(IntegrityError):
            ingest(business, replace(STARTING, status="ringing"))
        assert not Call.objects.exists()


class TestSeveralMessages:
    @pytest.mark.parametrize("order", list(itertools.permutations((STARTING, ENDING, ANALYSED))))
    def test_in_any_order_make_one_call_and_one_event(self, business, order):
        call = ingest(business, *order)
        assert Call.objects.count() == 1
        assert (call.status, call.sentiment, call.summary) == (
            "completed",
            "positive",
            "Wants a cleaning.",
        )
        assert (call.started_at, call.ended_at) == (ANALYSED.started_at, ANALYSED.ended_at)
        assert call.transcript == TURNS
        assert types() == ["call.completed"]

    def test_twice_change_nothing(self, business):
        first = ingest(business, ANALYSED)
        again = ingest(business, ANALYSED, now=NOW + timedelta(hours=1))
        assert again.updated_at == first.updated_at
        assert types() == ["call.completed"]

    @pytest.mark.parametrize("order", ((MISSED, ANALYSED), (ANALYSED, MISSED)))
    def test_that_contradict_each_other_leave_the_first_end(self, business, order):
        call = ingest(business, *order)
        assert call.status == order[0].status
        assert types()[0] == f"call.{order[0].status}"
        assert set(types()[1:]) <= {"call.analyzed"}

    def test_after_the_event_make_call_analyzed_once(self, business):
        ingest(business, replace(ENDING, more_to_come=False, sentiment="neutral"))
        ingest(business, ANALYSED, ANALYSED)
        assert types() == ["call.completed", "call.analyzed"]
        assert events()[1][1]["sentiment"] == "positive"

    def test_never_shorten_a_transcript(self, business):
        call = ingest(business, ANALYSED, replace(ANALYSED, turns=TURNS[:1]))
        assert len(call.transcript) == 2

    def test_keep_a_booking_as_the_outcome(self, business):
        call = ingest(business, STARTING)
        Call.objects.filter(pk=call.pk).update(outcome="booked")
        assert ingest(business, replace(ANALYSED, outcome="information")).outcome == "booked"

    def test_of_two_businesses_are_two_calls(self, business, other_business):
        assert ingest(business, ANALYSED).pk != ingest(other_business, ANALYSED).pk


class TestWaitingForTheAnalysis:
    def test_lasts_as_long_as_the_setting_says(self, business, settings):
        settings.CALL_ANALYSIS_WAIT_SECONDS = 60
        ingest(business, ENDING)
        assert operations.finish_due_calls(now=NOW + timedelta(seconds=59)) == 0
        assert types() == []
        assert operations.finish_due_calls(now=NOW + timedelta(seconds=60)) == 1
        assert operations.finish_due_calls(now=NOW + timedelta(seconds=61)) == 0
        [(type, data)] = events()
        assert type == "call.completed"
        assert data["summary"] == "I would like to book a cleaning on Tuesday."

    def test_ends_when_it_comes(self, business):
        call = ingest(business, ENDING, ANALYSED)
        assert call.announce_at is None
        assert operations.finish_due_calls(now=NOW + timedelta(days=1)) == 0
        assert types() == ["call.completed"]

    def test_is_not_begun_again_by_a_repeat(self, business):
        call = ingest(business, ENDING)
        assert (
            ingest(business, ENDING, now=NOW + timedelta(seconds=30)).announce_at
            == call.announce_at
        )

    def test_is_short_where_only_our_own_score_is_missing(self, business):
        ingest(business, replace(ENDING, more_to_come=False))
        assert types() == []
        operations.finish_due_calls(now=NOW)
        [(type, data)] = events()
        assert type == "call.completed"
        assert Call.objects.get().sentiment_source == operations.sentiment.METHOD
        assert data["transcript"]

    def test_is_not_prolonged_by_a_web_server_whose_clock_is_ahead(self, business, settings):
        settings.CALL_ANALYSIS_WAIT_SECONDS = 0
        ingest(business, ENDING, now=timezone.now() + timedelta(hours=1))
        assert operations.finish_due_calls(now=database_now()) == 1


class TestFinishDueCalls:
    def test_goes_on_after_a_call_that_cannot_be_finished(self, business, caplog):
        broken = ingest(business, ENDING)
        Call.objects.filter(pk=broken.pk).update(transcript=[{"speaker": "caller"}])
        ingest(business, replace(ENDING, provider_call_id="another"))
        assert operations.finish_due_calls(now=NOW + timedelta(days=1)) == 1
        assert f"Call {broken.pk} cannot be finished" in caplog.text


class TestFinishCall:
    def test_leaves_what_another_has_finished(self, business):
        call = ingest(business, ANALYSED)
        assert operations.finish_call(call_id=call.pk, now=NOW) is None

    def test_keeps_the_summary_of_the_provider(self, business):
        ingest(business, replace(ENDING, summary="Theirs.", more_to_come=False))
        operations.finish_due_calls(now=NOW)
        assert events()[0][1]["summary"] == "Theirs."

    def test_leaves_the_sentiment_open_where_it_is_not_clear(self, business):
        said = [turn("caller", "Guten Tag, ich brauche einen Termin.", 1.0)]
        ingest(business, replace(ENDING, turns=said, more_to_come=False))
        operations.finish_due_calls(now=NOW)
        [(_, data)] = events()
        assert (data["sentiment"], data["sentiment_score"]) == (None, None)
        assert operations.finish_due_calls(now=NOW) == 0

    def test_is_the_work_of_a_task(self, business, settings):
        settings.CALL_ANALYSIS_WAIT_SECONDS = 0
        ingest(business, ENDING, now=NOW)
        tasks.finish_due_calls()
        tasks.forget_old_messages()
        tasks.forget_old_transcripts()
        assert types() == ["call.completed"]


class TestCustomer:
    def test_is_found_by_phone_in_any_spelling(self, business):
        customer = make_customer(business, phone="+919876543210")
        assert ingest(business, ANALYSED).customer_id == customer.pk
        assert Customer.objects.count() == 1

    def test_is_made_of_an_unknown_caller(self, business):
        call = ingest(business, replace(MISSED, caller_name="Asha Rao"))
        customer = Customer.objects.get(pk=call.customer_id)
        assert (customer.name, customer.phone) == ("Asha Rao", "+919876543210")
        assert (customer.segment, customer.source) == ("lead", "voice")
        assert list(Event.objects.order_by("pk").values_list("type", flat=True)) == [
            "customer.created",
            "call.missed",
        ]

    @pytest.mark.parametrize(
        "number",
        (
            *("", "reception", "12", "sip-user", "+12", "client:alice"),
            *(f"+81{'9' * count}" for count in (14, 15, 17, 18)),
            *("0000000000", "+910000000000", "+1 212 555 0100 x5"),
        ),
    )
    def test_is_none_where_there_is_no_number(self, business, number):
        call = ingest(business, replace(ANALYSED, from_number=number))
        assert (call.customer_id, call.from_number) == (None, number)
        assert not Customer.objects.exists()

    def test_is_not_created_for_a_person_whom_the_business_calls(self, business):
        report = replace(
            ANALYSED, direction="outbound", from_number="+918012345678", to_number="9876543210"
        )
        assert ingest(business, report).customer_id is None
        customer = make_customer(business, phone="+919876543210")
        assert ingest(business, report).customer_id == customer.pk


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_hooks_make_one_call_one_customer_one_event(self):
        business = make_business()

        def take(report: CallReport) -> int:
            try:
                return operations.ingest_call(
                    business=business, provider="kaivox", report=report, now=NOW
                ).pk
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            ids = set(pool.map(take, [STARTING, ANALYSED, ENDING, ANALYSED] * 2))
        assert len(ids) == Call.objects.count() == Customer.objects.count() == 1
        assert types() == ["call.completed"]


class TestPrivacyOfTranscripts:
    SAID = "My card is 4111 1111 1111 1111 and my mail is asha.rao@example.com."

    def test_cards_and_addresses_are_masked(self, business):
        report = replace(ANALYSED, turns=[turn("caller", self.SAID, 0)], summary=self.SAID)
        call = ingest(business, report)
        assert call.transcript[0]["text"] == "My card is [card] and my mail is [e-mail]."
        assert call.summary == call.transcript[0]["text"]
        assert "4111" not in call.words

    def test_unless_the_business_says_so(self, business):
        business.mask_transcripts = False
        business.save()
        call = ingest(business, replace(ANALYSED, turns=[turn("caller", self.SAID, 0)]))
        assert call.transcript[0]["text"] == self.SAID


class TestLinkAppointment:
    def test_is_linked_by_bookings(self, business):
        from appointments.call_links import reject_unknown_call

        call = make_call(business)
        reject_unknown_call(business, call.pk)
        with pytest.raises(Invalid):
            reject_unknown_call(make_business(), call.pk)
