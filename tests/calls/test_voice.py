"""`POST /voice/<provider>/<slug>` over HTTP: samples of each provider, good and bad."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import OperationalError
from rest_framework.test import APIClient

from calls import inbox
from calls.models import Call, Message, ProviderAccount
from calls.operations import finish_due_calls
from calls.providers import vapi
from customers.models import Customer
from tests.calls.providers import FORM, sample, signature
from webhooks.models import Event
from webhooks.signing import new_secret

NOW = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)
SECRETS = {
    "twilio": "0123456789abcdef0123456789abcdef",
    "vobiz": "vobiz-token",
    "vapi": "vapi-secret",
    "retell": "key_retell",
    "kaivox": new_secret(),
}


@pytest.fixture(autouse=True)
def accounts(business):
    with time_machine.travel(NOW, tick=False):
        for provider, secret in SECRETS.items():
            ProviderAccount.objects.create(business=business, provider=provider, secret=secret)
        yield


def post(provider, body, content_type="application/json", *, slug="smile", sign=True, **how):
    path = f"/voice/{provider}/{slug}"
    how = {"secret": SECRETS[provider], "url": f"http://testserver{path}"} | how
    headers = how.pop("headers", {})
    if sign:
        headers |= signature(provider, body, at=how.pop("at", NOW.timestamp()), **how)
    return APIClient().post(path, body, content_type=content_type, headers=headers)


def send(provider, name, **how) -> Call | None:
    response = post(provider, *sample(name), **how)
    body = response.json()
    assert response.status_code == 200, body
    assert body["success"] is True
    return Call.objects.filter(pk=body["data"]["call_id"]).first()


def call_events() -> list[str]:
    events = Event.objects.filter(type__startswith="call.").order_by("pk")
    return list(events.values_list("type", flat=True))


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


class TestSignature:
    @pytest.mark.parametrize(
        ("provider", "name"),
        (
            ("twilio", "twilio_completed.form"),
            ("vobiz", "vobiz_hangup.form"),
            ("vapi", "vapi_end_of_call_report.json"),
            ("retell", "retell_call_ended.json"),
            ("kaivox", "kaivox_completed.json"),
        ),
    )
    @pytest.mark.parametrize(
        "how",
        ({"sign": False}, {"secret": "wrong"}, {"headers": {"X-Vapi-Secret": "é"}, "sign": False}),
    )
    def test_is_needed_and_nothing_is_stored_without(self, provider, name, how):
        response = post(provider, *sample(name), **how)
        assert response.status_code == 401
        assert response.json()["code"] == "invalid_signature"
        assert not Message.objects.exists()
        assert not Call.objects.exists()

    def test_of_another_body_is_worth_nothing(self):
        body, content_type = sample("kaivox_completed.json")
        headers = signature("kaivox", body, secret=SECRETS["kaivox"], url="", at=NOW.timestamp())
        response = post("kaivox", body + b" ", content_type, sign=False, headers=headers)
        assert response.status_code == 401

    def test_of_one_business_is_worth_nothing_at_another(self, other_business):
        response = post("kaivox", *sample("kaivox_completed.json"), slug="stranger")
        assert response.status_code == 401

    def test_of_an_account_that_is_off_is_worth_nothing(self):
        ProviderAccount.objects.update(is_active=False)
        assert post("kaivox", *sample("kaivox_completed.json")).status_code == 401

    def test_is_not_needed_where_the_setting_says_so_and_no_account_is(self, settings):
        settings.VOICE_ALLOW_UNSIGNED = True
        assert post("vapi", *sample("vapi_status_update.json"), sign=False).status_code == 401
        ProviderAccount.objects.filter(provider="vapi").delete()
        assert post("vapi", *sample("vapi_status_update.json"), sign=False).status_code == 200


class TestBadRequests:
    def test_an_unknown_business_or_provider_is_not_found(self):
        body, content_type = sample("kaivox_completed.json")
        for path in ("/voice/kaivox/nobody", "/voice/zoom/smile", "/voice/", "/voice/kaivox/a/b"):
            response = APIClient().post(path, body, content_type=content_type)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")

    def test_other_methods_are_refused(self):
        response = APIClient().get("/voice/kaivox/smile")
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")

    @pytest.mark.parametrize(
        ("provider", "body"),
        (
            ("kaivox", b""),
            ("kaivox", b"{"),
            ("kaivox", b"[1]"),
            ("kaivox", b"\xff\xfe"),
            ("kaivox", b"[" * 100_000),
            ("vapi", b'{"message": {"type": "end-of-call-report"}}'),
            (
                "vapi",
                b'{"message": {"type": "end-of-call-report", "call": {"id": "a"}, "endedAt": "x"}}',
            ),
            (
                "retell",
                b'{"event": "call_ended", "call": {"start_timestamp": 1e300, "call_id": "a"}}',
            ),
            ("retell", b'{"event": "call_ended", "call": {"call_id": "a", "duration_ms": -1000}}'),
            ("twilio", b"CallSid=CA1&CallStatus=sleeping"),
            ("twilio", b"CallSid=CA1&CallStatus=completed&CallDuration=long"),
            ("twilio", b"CallStatus=completed"),
            ("vobiz", b"CallUUID=1&CallStatus=sleeping"),
        ),
    )
    def test_what_cannot_be_read_is_kept(self, provider, body):
        form = provider in ("twilio", "vobiz")
        response = post(provider, body, FORM if form else "application/json")
        assert response.status_code == 202, response.json()
        assert response.json()["data"]["error"]
        assert Message.objects.get().state == "unreadable"
        assert not Call.objects.exists()

    @pytest.mark.parametrize("shape", (None, 5, "x", [], [None], {"a": 1}, True))
    def test_no_shape_of_a_value_breaks_us(self, shape):
        call = {"call_id": "a", "transcript_object": shape, "call_analysis": shape}
        call |= {"from_number": shape, "disconnection_reason": shape, "recording_url": shape}
        payload = {"event": "call_analyzed", "call": call}
        assert post("retell", json.dumps(payload).encode()).status_code in (200, 202)
        message = {"type": "end-of-call-report", "artifact": shape, "analysis": shape}
        message |= {"call": {"id": "a"}, "customer": shape, "endedReason": shape}
        assert post("vapi", json.dumps({"message": message}).encode()).status_code in (200, 202)
        for part in ("call", "message"):
            for provider in ("vapi", "retell"):
                body = json.dumps({part: shape, "event": "call_ended"}).encode()
                assert post(provider, body).status_code in (200, 202)

    def test_a_transcript_of_five_megabytes_is_taken_and_cut(self):
        told = json.loads(sample("kaivox_completed.json")[0])
        told["transcript"] = [
            {"speaker": "caller", "text": "word " * 15_000, "offset_seconds": second}
            for second in range(70)
        ]
        body = json.dumps(told).encode()
        assert len(body) > 5_000_000
        assert post("kaivox", body).status_code == 200
        assert sum(len(one["text"]) for one in Call.objects.get().transcript) <= 1_000_000

    def test_more_than_eight_mebibytes_are_refused(self):
        response = post("kaivox", b" " * (8 * 1024 * 1024 + 1))
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert not Message.objects.exists()


class TestOurOwnFaults:
    def test_keep_the_message(self, monkeypatch, caplog):
        def stumble(incoming):
            raise KeyError("ours")

        monkeypatch.setattr(vapi, "read", stumble)
        response = post("vapi", *sample("vapi_status_update.json"))
        assert (response.status_code, response.json()["data"]["error"]) == (202, "KeyError: 'ours'")
        assert Message.objects.get().state == "unreadable"
        assert "cannot be read" in caplog.text

    def test_of_the_database_let_the_provider_send_again(self, monkeypatch):
        def stumble(**report):
            raise OperationalError("away")

        monkeypatch.setattr(inbox, "merge_report", stumble)
        response = post("vapi", *sample("vapi_status_update.json"))
        assert (response.status_code, response.json()["code"]) == (503, "service_unavailable")
        assert "Retry-After" in response
        assert not Message.objects.exists()


class TestReplay:
    def test_reads_a_kept_message_again(self):
        send("kaivox", "kaivox_completed.json")
        Call.objects.all().delete()
        message = Message.objects.create(
            business=ProviderAccount.objects.first().business,
            provider="kaivox",
            state="unreadable",
            error="Our bug.",
            body=inbox._seal(sample("kaivox_completed.json")[0]),
        )
        inbox.replay(message=message, now=NOW)
        message.refresh_from_db()
        assert (message.state, message.error, message.replayed_at) == ("read", "", NOW)
        assert message.call == Call.objects.get()

    def test_changes_nothing_where_it_was_read_before(self):
        call = send("kaivox", "kaivox_completed.json")
        inbox.replay(message=Message.objects.get(), now=NOW + timedelta(days=3))
        assert Call.objects.get().updated_at == call.updated_at
        assert call_events() == ["call.completed"]


class TestForgetOldMessages:
    def test_keeps_them_for_thirty_days(self):
        send("kaivox", "kaivox_completed.json")
        assert inbox.forget_old_messages(now=NOW + timedelta(days=30)) == 0
        assert inbox.forget_old_messages(now=NOW + timedelta(days=30, seconds=1)) == 1
        assert Call.objects.count() == 1

    def test_does_not_show_what_they_say_in_the_database(self):
        send("kaivox", "kaivox_completed.json")
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT body FROM calls_message")
            assert "9876543210" not in cursor.fetchone()[0]
