"""Start, end and duration of a call, in whatever order its messages come."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from calls import reported
from calls.call_report import CallReport, Utterance
from calls.models import Call
from calls.transcripts import tidy, turn
from tests.calls.test_ingestion import NOW, STARTED, ingest, types

START = CallReport(provider_call_id="c-1", status="in_progress", started_at=STARTED)
END = CallReport(
    provider_call_id="c-1",
    status="completed",
    ended_at=STARTED + timedelta(seconds=40),
    more_to_come=True,
)
RECORDING = CallReport(provider_call_id="c-1", recording_url="https://a.example/1.wav")
ANALYSIS = CallReport(
    provider_call_id="c-1",
    status="completed",
    sentiment="positive",
    sentiment_score=0.5,
    summary="Fine.",
)


class TestOrder:
    @pytest.mark.parametrize(
        "order", list(itertools.permutations((START, END, RECORDING, ANALYSIS)))
    )
    def test_makes_no_difference(self, business, order):
        for place, report in enumerate(order):
            call = ingest(business, report, now=NOW + timedelta(seconds=7 * place))
        assert (call.started_at, call.ended_at) == (STARTED, END.ended_at)
        assert (call.duration_seconds, call.recording_url) == (40, RECORDING.recording_url)
        assert (call.summary, call.sentiment) == ("Fine.", "positive")
        assert types()[0] == "call.completed"

    @pytest.mark.parametrize("order", list(itertools.permutations((START, END, RECORDING))))
    def test_a_recording_does_not_end_the_wait_for_the_analysis(self, business, order):
        ingest(business, *order, ANALYSIS)
        assert types() == ["call.completed"]

    def test_a_second_end_changes_nothing(self, business):
        later = replace(END, ended_at=STARTED + timedelta(seconds=90))
        first = ingest(business, START, END, later)
        assert (first.ended_at, first.duration_seconds) == (END.ended_at, 40)


class TestEndAlone:
    @pytest.mark.parametrize("seconds", (0, 67, 3600))
    def test_with_a_duration_began_then(self, business, seconds):
        end = CallReport(provider_call_id="c-1", status="completed", duration_seconds=seconds)
        call = ingest(business, end)
        assert call.started_at == NOW - timedelta(seconds=seconds)
        assert (call.ended_at, call.duration_seconds) == (NOW, seconds)

    def test_never_ends_in_the_future(self, business):
        end = CallReport(
            provider_call_id="c-1",
            status="completed",
            started_at=NOW - timedelta(seconds=10),
            duration_seconds=60,
        )
        assert ingest(business, end).ended_at == NOW

    def test_after_its_beginning_ends_so_long_after_it(self, business):
        end = CallReport(provider_call_id="c-1", status="completed", duration_seconds=67)
        call = ingest(business, START, end)
        assert call.ended_at == STARTED + timedelta(seconds=67)

    def test_of_a_call_stored_before_preserves_its_values(self, business):
        ingest(business, START, END)
        Call.objects.update(reported={})
        call = ingest(business, RECORDING)
        assert (call.started_at, call.ended_at) == (STARTED, END.ended_at)
        assert call.duration_seconds == 40


class TestMissedThenCompleted:
    def test_emits_call_missed_alone(self, business):
        missed = CallReport(provider_call_id="c-1", status="missed", started_at=STARTED)
        call = ingest(business, missed, replace(ANALYSIS, outcome="information"))
        assert (call.status, call.outcome) == ("missed", "missed")
        assert types() == ["call.missed"]


class TestTurns:
    def test_without_offset_take_that_of_the_turn_before(self):
        turns = [
            turn("agent", "a", 2),
            turn("caller", "b", None),
            turn("agent", "c", 5),
            turn("caller", "d", None),
        ]
        assert [(one["text"], one["offset_seconds"]) for one in tidy(turns)] == [
            *(("a", 2), ("b", 2), ("c", 5), ("d", 5))
        ]

    def test_have_the_keys_of_the_contract_in_order(self, business, client):
        said = [{"text": "Hello there", "offset_seconds": 5.0, "speaker": "agent"}]
        call = ingest(business, replace(ANALYSIS, turns=said, sentiment_score=0.0))
        data = client.get(f"/api/v1/calls/{call.pk}").content.decode()
        assert '{"speaker":"agent","text":"Hello there","offset_seconds":5}' in data
        assert '"sentiment_score":0,' in data

    def test_are_in_events_as_in_the_api(self, business):
        from webhooks.models import Event

        said = [turn("agent", "Hello", 5.0), turn("agent", "you", 7.25)]
        ingest(business, replace(ANALYSIS, turns=said, sentiment_score=-1.0))
        body = bytes(Event.objects.get(type="call.completed").body).decode()
        assert '{"speaker":"agent","text":"Hello","offset_seconds":5}' in body
        assert '"offset_seconds":7.25}' in body
        assert '"sentiment_score":-1,' in body


class TestUtterances:
    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_are_put_together_in_their_order(self, business, order):
        said = ("My card is 4111 1111", "1111", "1111. Thanks")
        reports = [
            CallReport(
                provider_call_id="c-1",
                utterance=Utterance(
                    place, "caller", said[place], STARTED + timedelta(seconds=10 * place)
                ),
            )
            for place in range(3)
        ]
        call = ingest(business, START, *(reports[place] for place in order), reports[0])
        assert [one["text"] for one in call.transcript] == [
            "My card is [card]",
            "[card]",
            "[card]. Thanks",
        ]
        assert [one["offset_seconds"] for one in call.transcript] == [0, 10, 20]
        assert "1111" not in str(call.reported)

    def test_of_a_long_call_are_masked_in_constant_time(self, business, monkeypatch):
        sizes = []
        plain = reported.mask_turns

        def watched(turns):
            sizes.append(len(turns))
            return plain(turns)

        monkeypatch.setattr(reported, "mask_turns", watched)
        ingest(business, START)
        call = Call.objects.get()
        call.reported["utterances"] = {
            str(number): ["caller", "It's 4111 1111 1111" if number == 1499 else "Yes.", None]
            for number in range(1500)
        }
        call.save()
        last = CallReport(
            provider_call_id="c-1", utterance=Utterance(1500, "caller", "1111", STARTED)
        )
        call = ingest(business, last)
        assert [one["text"] for one in call.transcript[-2:]] == ["It's [card]", "[card]"]
        assert len(call.transcript) == 1501
        assert max(sizes) <= 100


class TestDoubtfulCaller:
    def test_is_linked_to_no_customer(self, business):
        report = CallReport(
            provider_call_id="c-1",
            status="in_progress",
            from_number="+919876543210",
            caller_doubtful=True,
        )
        call = ingest(business, report, replace(report, caller_doubtful=False, status="completed"))
        assert (call.customer_id, call.from_number) == (None, "+919876543210")
