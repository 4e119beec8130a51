"""Samples of each voice provider over `POST /voice/<provider>/<slug>`: what becomes of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from calls import inbox
from calls.models import Call, Message
from calls.operations import finish_due_calls
from customers.models import Customer
from tests.calls.providers import FORM, sample
from tests.calls.voice import NOW, call_events, post, send

pytestmark = pytest.mark.usefixtures("accounts")


class TestTwilio:
    def test_tells_the_end_of_a_call(self):
        call = send("twilio", "twilio_completed.form")
        assert (call.provider, call.status, call.direction) == ("twilio", "completed", "inbound")
        assert (call.from_number, call.to_number) == ("+919876543210", "+918012345678")
        assert (call.duration_seconds, call.end_reason) == (83, "completed")
        assert call.ended_at == datetime(2026, 6, 2, 4, 31, 23, tzinfo=UTC)
        assert call_events() == ["call.completed"]

    def test_tells_the_recording_later(self):
        send("twilio", "twilio_completed.form")
        call = send("twilio", "twilio_recording.form")
        assert call.recording_url.endswith("/Recordings/RE1")
        assert (Call.objects.count(), call.status) == (1, "completed")
        assert call_events() == ["call.completed", "call.analyzed"]

    @pytest.mark.parametrize("status", ("no-answer", "busy", "failed", "canceled"))
    def test_tells_missed_calls(self, status):
        assert post("twilio", b"CallSid=CA1&Foo=1", FORM).json()["data"]["state"] == "ignored"
        body, content_type = sample("twilio_no_answer.form")
        post("twilio", body.replace(b"no-answer", status.encode()), content_type)
        assert Call.objects.get().status == "missed"
        assert call_events() == ["call.missed"]

    def test_is_not_doubted_about_a_time_that_is_none(self):
        body, content_type = sample("twilio_no_answer.form")
        assert b"Timestamp=" in body
        post("twilio", re.sub(b"Timestamp=[^&]*", b"Timestamp=soon", body), content_type)
        assert Call.objects.get().status == "missed"

    def test_may_sign_the_address_with_its_port(self):
        send("twilio", "twilio_completed.form", url="http://testserver:80/voice/twilio/smile")

    def test_may_sign_the_address_that_is_known_outside(self, settings):
        settings.PUBLIC_URL = "https://api.example.com"
        send("twilio", "twilio_completed.form", url="https://api.example.com/voice/twilio/smile")


class TestVobiz:
    def test_tells_answer_and_hangup(self):
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
    def test_tells_it_in_many_ways(self, fields, status):
        post("vobiz", fields, FORM)
        assert Call.objects.get().status == status

    def test_says_much_that_is_not_about_calls(self):
        assert post("vobiz", b"CallUUID=1&Digits=5", FORM).json()["data"]["state"] == "ignored"


class TestVapi:
    @pytest.mark.parametrize("way", ("vapi", "vapi-bearer", "vapi-hmac"))
    def test_tells_status_and_report(self, way):
        assert send("vapi", "vapi_status_update.json", way=way).status == "in_progress"
        call = send("vapi", "vapi_end_of_call_report.json", way=way)
        assert (call.status, call.outcome, call.duration_seconds) == ("completed", "booked", 83)
        assert call.summary == "Asha booked a cleaning for Tuesday at ten."
        assert call.recording_url == "https://storage.vapi.ai/7d3c2f9a.wav"
        assert [(one["speaker"], one["offset_seconds"]) for one in call.transcript] == [
            ("agent", 1.2),
            ("caller", 4.4),
            ("agent", 9.1),
            ("caller", 11.7),
        ]
        assert call.customer.name == "Caller +919876543210"
        finish_due_calls(now=NOW)
        assert call_events() == ["call.completed"]

    def test_tells_of_the_end_before_its_report(self):
        told = json.loads(sample("vapi_status_update.json")[0])
        told["message"] |= {"status": "ended", "endedReason": "customer-ended-call"}
        assert post("vapi", json.dumps(told).encode()).status_code == 200
        assert (Call.objects.get().status, call_events()) == ("completed", [])
        send("vapi", "vapi_end_of_call_report.json")
        finish_due_calls(now=NOW)
        assert call_events() == ["call.completed"]

    def test_tells_of_calls_that_are_planned(self):
        told = json.loads(sample("vapi_status_update.json")[0])
        told["message"]["status"] = "queued"
        assert post("vapi", json.dumps(told).encode()).json()["data"]["state"] == "ignored"

    def test_tells_a_transcript_as_text(self):
        body, _ = sample("vapi_end_of_call_report.json")
        report = json.loads(body)
        del report["message"]["artifact"]["messages"]
        post("vapi", json.dumps(report).encode())
        assert [one["speaker"] for one in Call.objects.get().transcript] == [
            "agent",
            "caller",
            "agent",
            "caller",
        ]

    @pytest.mark.parametrize(
        ("reason", "kind", "status", "outcome"),
        (
            ("customer-did-not-answer", "outboundPhoneCall", "missed", "missed"),
            ("customer-busy", "outboundPhoneCall", "missed", "missed"),
            ("voicemail", "outboundPhoneCall", "completed", "voicemail"),
            (
                "call.in-progress.error-assistant-did-not-receive-customer-audio",
                "inboundPhoneCall",
                "missed",
                "missed",
            ),
            ("pipeline-error-openai-llm-failed", "outboundPhoneCall", "failed", ""),
            ("silence-timed-out", "inboundPhoneCall", "completed", "other"),
        ),
    )
    def test_tells_how_it_ended(self, reason, kind, status, outcome):
        call = {"id": "v-1", "type": kind}
        message = {"type": "end-of-call-report", "endedReason": reason, "call": call}
        post("vapi", json.dumps({"message": message}).encode())
        call = Call.objects.get()
        assert (call.status, call.outcome) == (status, outcome)

    def test_says_much_that_is_not_about_calls(self):
        body = b'{"message": {"type": "conversation-update", "call": {"id": "v-1"}}}'
        assert post("vapi", body).json()["data"] == {
            "state": "ignored",
            "call_id": None,
            "error": "",
        }
        assert (Call.objects.count(), Message.objects.count()) == (0, 1)


class TestRetell:
    def test_tells_end_then_analysis(self):
        call = send("retell", "retell_call_ended.json")
        assert (call.status, call.sentiment, call.duration_seconds) == ("completed", "", 83)
        assert call_events() == []
        call = send("retell", "retell_call_analyzed.json")
        assert (call.sentiment, call.sentiment_source) == ("positive", "provider")
        assert (call.outcome, call.summary) == (
            "booked",
            "The caller asked for a cleaning on Tuesday.",
        )
        assert [one["offset_seconds"] for one in call.transcript] == [0.7, 3.4]
        assert call_events() == ["call.completed"]

    @pytest.mark.parametrize(
        ("reason", "direction", "status", "outcome"),
        (
            ("dial_no_answer", "outbound", "missed", "missed"),
            ("voicemail_reached", "outbound", "completed", "voicemail"),
            ("concurrency_limit_reached", "inbound", "missed", "missed"),
            ("error_retell", "outbound", "failed", ""),
            ("inactivity", "inbound", "completed", "other"),
        ),
    )
    def test_tells_how_it_ended(self, reason, direction, status, outcome):
        call = {"call_id": "r-1", "direction": direction, "disconnection_reason": reason}
        post("retell", json.dumps({"event": "call_analyzed", "call": call}).encode())
        call = Call.objects.get()
        assert (call.status, call.outcome) == (status, outcome)

    def test_tells_the_beginning_and_things_that_are_no_news(self):
        call = {"call_id": "r-1", "direction": "inbound"}
        for event, state in (("call_started", "read"), ("transcript_updated", "ignored")):
            body = json.dumps({"event": event, "call": call}).encode()
            assert post("retell", body).json()["data"]["state"] == state
        assert Call.objects.get().status == "in_progress"

    @pytest.mark.parametrize(
        "url", ("ftp://rec.example.com/1", "https://[::1", f"https://a/{'b' * 2000}")
    )
    def test_has_no_recording_where_the_address_is_none_of_the_web(self, url):
        call = {"call_id": "r-1", "direction": "inbound", "recording_url": url}
        post("retell", json.dumps({"event": "call_analyzed", "call": call}).encode())
        assert Call.objects.get().recording_url == ""

    def test_may_tell_a_number_as_an_address(self):
        call = {"call_id": "r-1", "direction": "inbound", "from_number": "sip:+919876543210@a.b"}
        post("retell", json.dumps({"event": "call_started", "call": call}).encode())
        assert Call.objects.get().from_number == "+919876543210"

    def test_may_send_its_analysis_too_late(self):
        send("retell", "retell_call_ended.json")
        finish_due_calls(now=NOW + timedelta(minutes=2))
        send("retell", "retell_call_analyzed.json")
        assert call_events() == ["call.completed", "call.analyzed"]

    @pytest.mark.parametrize("seconds", (-301, 301))
    def test_is_not_believed_after_five_minutes(self, seconds):
        response = post("retell", *sample("retell_call_ended.json"), at=NOW.timestamp() + seconds)
        assert response.status_code == 401


class TestOwnEngine:
    @pytest.mark.parametrize("way", ("kaivox", "kaivox-standard"))
    def test_tells_everything(self, way):
        call = send("kaivox", "kaivox_completed.json", way=way)
        assert (call.outcome, call.sentiment_score, call.sentiment_source) == (
            "booked",
            0.7,
            "provider",
        )
        assert (call.customer.name, call.customer.source) == ("Asha Rao", "voice")
        assert call_events() == ["call.completed"]

    @pytest.mark.parametrize(
        ("change", "complaint"),
        (
            ({"status": "ringing"}, "status: "),
            ({"call_id": None}, "call_id: "),
            ({"duration_seconds": -5}, "duration_seconds: "),
            ({"sentiment_score": 3}, "sentiment_score: "),
            ({"started_at": "2026-06-02T10:00:00"}, "started_at: "),
            ({"started_at": "2036-06-02T10:00:00Z", "ended_at": None}, "started_at is 2036"),
            ({"transcript": [{"speaker": "dog", "text": "Woof"}]}, "transcript.0.speaker: "),
            ({"transcript": [{"speaker": "agent", "text": 5}]}, "transcript.0.text: "),
            ({"transcript": ["Hello"]}, "transcript.0: "),
            (
                {"transcript": [{"speaker": "agent", "text": "", "offset_seconds": -1}]},
                "transcript.0.offset_seconds: ",
            ),
            ({"transcript": "text"}, "transcript: "),
            ({"colour": "blue"}, "colour: "),
        ),
    )
    def test_is_told_what_is_wrong_and_loses_nothing(self, change, complaint):
        body = json.dumps(json.loads(sample("kaivox_completed.json")[0]) | change).encode()
        response = post("kaivox", body)
        assert response.status_code == 202
        assert response.json()["data"]["error"].startswith(complaint)
        message = Message.objects.get()
        assert (message.state, inbox.body_of(message)) == ("unreadable", body)
        assert not Call.objects.exists()
        assert not Customer.objects.exists()

    def test_hides_withheld_numbers(self):
        told = json.loads(sample("kaivox_completed.json")[0])
        post("kaivox", json.dumps(told | {"from_number": "Anonymous"}).encode())
        assert (Call.objects.get().from_number, Customer.objects.count()) == ("", 0)

    def test_may_tell_nul_bytes_and_halves_of_characters(self):
        body = sample("kaivox_completed.json")[0].replace(
            b"Tuesday at ten", rb"\u0000Tue\ud800sday"
        )
        assert post("kaivox", body).status_code == 200
        assert Call.objects.get().summary == "Booked a cleaning for Tuesday."
