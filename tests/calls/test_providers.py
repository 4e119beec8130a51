"""Samples of each voice provider over `POST /voice/<provider>/<slug>`: what becomes of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from calls.models import Call, ProviderMessage
from calls.operations import finish_due_calls
from customers.models import Customer
from tests.calls.provider_client import NOW, call_events, post, send
from tests.calls.providers import sample

pytestmark = pytest.mark.usefixtures("accounts")


class TestVapi:
    def test_rejects_an_old_signature(self):
        body, _ = sample("vapi_status_update.json")
        old = NOW.timestamp() - 301
        assert post("vapi", body, way="vapi-hmac-time", at=old).status_code == 401

    def test_reads_structured_outputs(self):
        payload = json.loads(sample("vapi_end_of_call_report.json")[0])
        message = payload["message"]
        del message["analysis"], message["endedAt"], message["artifact"]["recordingUrl"]
        message["call"]["endedAt"] = "2026-06-02T04:31:26.480Z"
        message["customer"] = {"sipUri": "sip:+919876543210@sip.example.com"}
        message["artifact"] |= {
            "recording": {"mono": {"combinedUrl": "https://storage.vapi.ai/mono.wav"}},
            "structuredOutputs": {
                "11111111-0000-4000-8000-000000000000": {"name": "Sentiment", "result": "Negative"},
                "22222222-0000-4000-8000-000000000000": {
                    "name": "Appointment",
                    "result": {"outcome": "rescheduled", "summary": "Moved to Friday."},
                },
            },
        }
        assert post("vapi", json.dumps(payload).encode()).status_code == 200
        call = Call.objects.get()
        assert (call.sentiment, call.outcome) == ("negative", "rescheduled")
        assert (call.summary, call.from_number) == ("Moved to Friday.", "+919876543210")
        assert call.recording_url == "https://storage.vapi.ai/mono.wav"
        assert call.ended_at == datetime(2026, 6, 2, 4, 31, 26, 480000, tzinfo=UTC)

    def test_waits_for_the_report_of_a_call_that_broke(self):
        payload = json.loads(sample("vapi_status_update.json")[0])
        payload["message"] |= {"status": "ended", "endedReason": "pipeline-error-openai-llm-failed"}
        post("vapi", json.dumps(payload).encode())
        assert Call.objects.get().status == "in_progress"
        report = json.loads(sample("vapi_end_of_call_report.json")[0])
        report["message"] |= {"endedReason": "pipeline-error-openai-llm-failed", "artifact": {}}
        report["message"]["call"]["id"] = payload["message"]["call"]["id"]
        post("vapi", json.dumps(report).encode())
        assert call_events() == ["call.missed"]

    @pytest.mark.parametrize(
        "way",
        (
            *("vapi", "vapi-bearer", "vapi-hmac"),
            *("vapi-hmac-time", "vapi-hmac-milliseconds", "vapi-hmac-base64"),
        ),
    )
    def test_reads_status_and_report(self, way):
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

    def test_reads_the_end_before_its_report(self):
        payload = json.loads(sample("vapi_status_update.json")[0])
        payload["message"] |= {"status": "ended", "endedReason": "customer-ended-call"}
        assert post("vapi", json.dumps(payload).encode()).status_code == 200
        assert (Call.objects.get().status, call_events()) == ("completed", [])
        send("vapi", "vapi_end_of_call_report.json")
        finish_due_calls(now=NOW)
        assert call_events() == ["call.completed"]

    def test_ignores_scheduled_calls(self):
        payload = json.loads(sample("vapi_status_update.json")[0])
        payload["message"]["status"] = "queued"
        assert post("vapi", json.dumps(payload).encode()).json()["data"]["state"] == "ignored"

    def test_reads_a_transcript_of_text(self):
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
    def test_reads_how_it_ended(self, reason, kind, status, outcome):
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
        assert (Call.objects.count(), ProviderMessage.objects.count()) == (0, 1)


class TestRetell:
    @pytest.mark.parametrize(
        "payload",
        (
            {"transcript": "Agent: Hello.\nUser: I need a cleaning.\nTomorrow.\n"},
            {
                "scrubbed_transcript_with_tool_calls": [
                    {"role": "agent", "content": "Hello."},
                    {"role": "tool_call_invocation", "name": "book", "arguments": "{}"},
                    {"role": "user", "content": "I need a cleaning. Tomorrow."},
                ],
                "transcript_object": [],
            },
        ),
    )
    def test_reads_a_transcript_in_other_forms(self, payload):
        call = {"call_id": "r-1", "direction": "inbound", **payload}
        call["scrubbed_recording_url"] = "https://a.example/scrubbed.wav"
        post("retell", json.dumps({"event": "call_analyzed", "call": call}).encode())
        call = Call.objects.get()
        assert [(one["speaker"], one["text"]) for one in call.transcript] == [
            ("agent", "Hello."),
            ("caller", "I need a cleaning. Tomorrow."),
        ]
        assert call.recording_url == "https://a.example/scrubbed.wav"

    def test_reads_what_the_transfer_target_says(self):
        said = [{"role": "user", "content": "A person, please."}]
        said.append({"role": "transfer_target", "content": "Asha speaking."})
        call = {"call_id": "r-1", "direction": "inbound", "transcript_object": said}
        post("retell", json.dumps({"event": "call_analyzed", "call": call}).encode())
        assert [one["speaker"] for one in Call.objects.get().transcript] == ["caller", "agent"]

    @pytest.mark.parametrize("reason", ("credit_exhausted", "budget_reached", "error_asr"))
    def test_reads_calls_that_could_not_be_answered(self, reason):
        call = {"call_id": "r-1", "direction": "inbound", "disconnection_reason": reason}
        post("retell", json.dumps({"event": "call_ended", "call": call}).encode())
        assert call_events() == ["call.missed"]

    def test_reads_end_then_analysis(self):
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
    def test_reads_how_it_ended(self, reason, direction, status, outcome):
        call = {"call_id": "r-1", "direction": direction, "disconnection_reason": reason}
        post("retell", json.dumps({"event": "call_analyzed", "call": call}).encode())
        call = Call.objects.get()
        assert (call.status, call.outcome) == (status, outcome)

    def test_reads_the_start_and_ignores_other_events(self):
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
    def test_reads_every_field(self, way):
        call = send("kaivox", "kaivox_completed.json", way=way)
        assert (call.outcome, call.sentiment_score, call.sentiment_source) == (
            "booked",
            0.7,
            "provider",
        )
        assert (call.customer.name, call.customer.source) == ("Asha Rao", "voice")
        assert call_events() == ["call.completed"]

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"status": "ringing"}, "status"),
            ({"status": None}, "status"),
            ({"call_id": None}, "call_id"),
            ({"call_id": ""}, "call_id"),
            ({"duration_seconds": -5}, "duration_seconds"),
            ({"duration_seconds": "67"}, "duration_seconds"),
            ({"duration_seconds": True}, "duration_seconds"),
            ({"sentiment_score": 3}, "sentiment_score"),
            ({"sentiment_score": True}, "sentiment_score"),
            ({"sentiment_score": "0.5"}, "sentiment_score"),
            ({"sentiment": None, "sentiment_score": 0.5}, "sentiment_score"),
            ({"started_at": "2026-06-02T10:00:00"}, "started_at"),
            ({"started_at": "2036-06-02T10:00:00Z", "ended_at": None}, "started_at"),
            ({"ended_at": "2026-01-01T10:00:00Z"}, "ended_at"),
            ({"recording_url": "ftp://a.example/1"}, "recording_url"),
            ({"transcript": [{"speaker": "dog", "text": "Woof"}]}, "transcript.0.speaker"),
            ({"transcript": [{"speaker": "agent", "text": 5}]}, "transcript.0.text"),
            ({"transcript": ["Hello"]}, "transcript.0"),
            (
                {"transcript": [{"speaker": "agent", "text": "", "offset_seconds": -1}]},
                "transcript.0.offset_seconds",
            ),
            (
                {"transcript": [{"speaker": "agent", "text": "", "offset_seconds": True}]},
                "transcript.0.offset_seconds",
            ),
            ({"transcript": "text"}, "transcript"),
            ({"colour": "blue"}, "colour"),
        ),
    )
    def test_gets_an_error_that_names_the_wrong_field(self, change, field):
        body = json.dumps(json.loads(sample("kaivox_completed.json")[0]) | change).encode()
        response = post("kaivox", body)
        assert (response.status_code, response.json()["code"]) == (422, "validation_error")
        assert list(response.json()["errors"]) == [field]
        assert not ProviderMessage.objects.exists()
        assert not Call.objects.exists()
        assert not Customer.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        (b'"status": "completed", "status": "missed"', b'"status": NaN', b'"status": 1e', b"]"),
    )
    def test_gets_an_error_for_json_that_the_api_rejects_too(self, wrong):
        response = post("kaivox", b'{"call_id": "c", %b}' % wrong)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_json")

    OPTIONAL = (
        *("direction", "from_number", "to_number", "caller_name", "started_at", "ended_at"),
        *("duration_seconds", "end_reason", "outcome", "sentiment", "sentiment_score", "summary"),
        *("recording_url", "transcript", "analysis_follows"),
    )

    @pytest.mark.parametrize("empty", (None, ""))
    @pytest.mark.parametrize("name", OPTIONAL)
    def test_may_leave_any_optional_field_empty(self, name, empty):
        payload = json.loads(sample("kaivox_completed.json")[0]) | {name: empty}
        if name == "sentiment":
            del payload["sentiment_score"]
        response = post("kaivox", json.dumps(payload).encode())
        assert response.status_code == 200, response.json()

    @pytest.mark.parametrize("body", (b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000))
    def test_gets_an_error_for_a_body_that_is_not_json(self, body):
        response = post("kaivox", body)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_json")
        assert not ProviderMessage.objects.exists()

    def test_hides_withheld_numbers(self):
        payload = json.loads(sample("kaivox_completed.json")[0])
        post("kaivox", json.dumps(payload | {"from_number": "Anonymous"}).encode())
        assert (Call.objects.get().from_number, Customer.objects.count()) == ("", 0)

    @pytest.mark.parametrize("character", (rb"\u0000", rb"\ud800"))
    @pytest.mark.parametrize(
        ("text", "field"),
        ((b"Tuesday at ten.", "summary"), (b"how can I help", "transcript.0.text")),
    )
    def test_gets_an_error_for_text_that_cannot_be_stored(self, character, text, field):
        whole = sample("kaivox_completed.json")[0]
        assert text in whole
        response = post("kaivox", whole.replace(text, character + text, 1))
        assert response.status_code == 422
        assert list(response.json()["errors"]) == [field]
        assert not Call.objects.exists()
