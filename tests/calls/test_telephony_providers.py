"""Samples of Twilio and Vobiz over `POST /voice/<provider>/<slug>`: what becomes of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote_plus, urlencode

import pytest

from calls.models import Call
from tests.calls.provider_client import call_events, post, send
from tests.calls.providers import FORM, sample

pytestmark = pytest.mark.usefixtures("accounts")


class TestTwilio:
    def test_reads_the_end_of_a_call(self):
        call = send("twilio", "twilio_completed.form")
        assert (call.provider, call.status, call.direction) == ("twilio", "completed", "inbound")
        assert (call.from_number, call.to_number) == ("+919876543210", "+918012345678")
        assert (call.duration_seconds, call.end_reason) == (83, "completed")
        assert call.ended_at == datetime(2026, 6, 2, 4, 31, 23, tzinfo=UTC)
        assert call_events() == ["call.completed"]

    def test_reads_the_recording_later(self):
        send("twilio", "twilio_completed.form")
        call = send("twilio", "twilio_recording.form")
        assert call.recording_url.endswith("/Recordings/RE1")
        assert (Call.objects.count(), call.status) == (1, "completed")
        assert call_events() == ["call.completed", "call.analyzed"]

    @pytest.mark.parametrize("status", ("no-answer", "busy", "failed", "canceled"))
    def test_reads_missed_calls(self, status):
        assert post("twilio", b"CallSid=CA1&Foo=1", FORM).json()["data"]["state"] == "ignored"
        body, content_type = sample("twilio_no_answer.form")
        post("twilio", body.replace(b"no-answer", status.encode()), content_type)
        assert Call.objects.get().status == "missed"
        assert call_events() == ["call.missed"]

    @pytest.mark.parametrize(
        "text", ("soon", "Fri, 31 Dec 9999 23:59:59 -1200", "1 Jan " + "9" * 30)
    )
    def test_is_not_doubted_about_a_time_that_is_none(self, text):
        body, content_type = sample("twilio_no_answer.form")
        assert b"Timestamp=" in body
        post(
            "twilio",
            re.sub(b"Timestamp=[^&]*", f"Timestamp={quote_plus(text)}".encode(), body),
            content_type,
        )
        assert Call.objects.get().status == "missed"

    def test_may_sign_the_address_with_its_port(self):
        send("twilio", "twilio_completed.form", url="http://testserver:80/voice/twilio/smile")

    def test_may_sign_the_address_that_is_known_outside(self, settings):
        settings.PUBLIC_URL = "https://api.example.com"
        send("twilio", "twilio_completed.form", url="https://api.example.com/voice/twilio/smile")


class TestVobiz:
    def test_reads_answer_and_hangup(self):
        assert send("vobiz", "vobiz_answer.form").status == "in_progress"
        call = send("vobiz", "vobiz_hangup.form", way="vobiz-v2")
        assert (call.status, call.duration_seconds) == ("completed", 45)
        assert (call.from_number, call.to_number) == ("+919876543210", "+918012345678")
        assert call.started_at == datetime(2026, 6, 2, 4, 30, tzinfo=UTC)
        assert call_events() == ["call.completed"]

    def test_speaks_the_other_spelling(self):
        call = send("vobiz", "vobiz_no_answer.json")
        assert (call.status, call.end_reason) == ("missed", "NO_ANSWER")
        assert (call.from_number, call.to_number) == ("+919876543210", "+918012345678")
        assert call_events() == ["call.missed"]

    @pytest.mark.parametrize(
        ("fields", "status"),
        (
            (b"CallUUID=1&Event=Ring&Direction=outbound", "in_progress"),
            (b"CallUUID=1&HangupCause=NORMAL_CLEARING", "completed"),
            (b"CallUUID=1&CallStatus=no_answer", "missed"),
            (b"CallUUID=1&CallStatus=completed&HangupCause=User Busy", "missed"),
        ),
    )
    def test_reads_it_in_every_spelling(self, fields, status):
        post("vobiz", fields, FORM)
        assert Call.objects.get().status == status

    def test_says_much_that_is_not_about_calls(self):
        assert post("vobiz", b"CallUUID=1&Digits=5", FORM).json()["data"]["state"] == "ignored"


class TestTwilioEvents:
    def test_tell_who_answered(self):
        body = (
            b"CallSid=CA1&AccountSid=AC1&AnsweredBy=machine_end_beep&MachineDetectionDuration=3000"
        )
        assert post("twilio", body, FORM).json()["data"]["state"] == "read"
        post("twilio", b"CallSid=CA1&CallStatus=completed&CallDuration=5", FORM)
        assert Call.objects.get().outcome == "voicemail"

    def test_tell_of_a_human_that_answered(self):
        post("twilio", b"CallSid=CA1&AnsweredBy=human", FORM)
        assert Call.objects.get().outcome == ""

    def test_tell_what_is_said(self):
        for place, (track, text) in enumerate(
            (("outbound_track", "Smile Dental."), ("inbound_track", "I need a cleaning."))
        ):
            fields = {
                "CallSid": "CA1",
                "TranscriptionEvent": "transcription-content",
                "TranscriptionData": json.dumps({"transcript": text, "confidence": 0.9}),
                "Track": track,
                "Final": "true",
                "SequenceId": str(place + 2),
                "Timestamp": f"2026-06-02T04:30:1{place}.500Z",
            }
            assert post("twilio", urlencode(fields).encode(), FORM).status_code == 200
        post("twilio", b"CallSid=CA1&TranscriptionEvent=transcription-stopped", FORM)
        transcript = Call.objects.get().transcript
        assert [(one["speaker"], one["text"]) for one in transcript] == [
            ("agent", "Smile Dental."),
            ("caller", "I need a cleaning."),
        ]

    def test_tell_what_a_recording_says(self):
        post("twilio", b"CallSid=CA1&TranscriptionText=Call+me+back&RecordingUrl=https://a/1", FORM)
        [one] = Call.objects.get().transcript
        assert (one["speaker"], one["text"]) == ("caller", "Call me back")

    def test_that_cannot_be_parsed_are_stored(self):
        body = b"CallSid=CA1&TranscriptionEvent=transcription-content&TranscriptionData=%7B"
        assert post("twilio", body, FORM).status_code == 202

    @pytest.mark.parametrize(
        ("verdict", "known"), (("TN-Validation-Failed-C", False), ("TN-Validation-Passed-A", True))
    )
    def test_tell_whether_the_number_is_the_callers(self, verdict, known):
        body, content_type = sample("twilio_completed.form")
        post("twilio", body + f"&StirVerstat={verdict}".encode(), content_type)
        call = Call.objects.get()
        assert (call.customer_id is not None) is known
        assert call.from_number == "+919876543210"
