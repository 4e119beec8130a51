"""`POST /voice/<provider>/<slug>` over HTTP: signatures, limits and invalid messages."""

from __future__ import annotations

import base64
import hmac
import json
import tracemalloc
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from rest_framework.test import APIClient

from calls import ingestion
from calls.models import Call, ProviderAccount, ProviderMessage
from calls.providers import vapi
from tests.calls.provider_client import NOW, SECRETS, call_events, post, send
from tests.calls.providers import FORM, sample, signature

pytestmark = pytest.mark.usefixtures("accounts")


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
        assert not ProviderMessage.objects.exists()
        assert not Call.objects.exists()

    def test_of_another_body_is_worth_nothing(self):
        body, content_type = sample("kaivox_completed.json")
        headers = signature("kaivox", body, secret=SECRETS["kaivox"], url="", at=NOW.timestamp())
        response = post("kaivox", body + b" ", content_type, sign=False, headers=headers)
        assert response.status_code == 401

    @pytest.mark.parametrize("body", (b"a=1&" * 1001, b"CallSid=\xff"))
    def test_of_what_is_no_form_is_none_of_twilios(self, body):
        headers = {"X-Twilio-Signature": "a"}
        assert post("twilio", body, FORM, sign=False, headers=headers).status_code == 401
        assert not ProviderMessage.objects.exists()

    @pytest.mark.parametrize("stamp", ("1" * 5000, "²", ""))
    def test_with_a_timestamp_that_is_none_is_worth_nothing(self, stamp):
        body, content_type = sample("kaivox_completed.json")
        for headers in (
            {"X-KaiVox-Signature": f"t={stamp},v1=00"},
            {"webhook-id": "x", "webhook-timestamp": stamp, "webhook-signature": "v1,AA=="},
        ):
            response = post("kaivox", body, content_type, sign=False, headers=headers)
            assert response.status_code == 401

    @pytest.mark.parametrize("provider", ("vapi", "retell", "kaivox"))
    def test_comes_before_the_body_is_parsed(self, provider):
        body = b'{"message":[' + b"{}," * 300_000 + b"{}]}"
        tracemalloc.start()
        try:
            assert post(provider, body, sign=False).status_code == 401
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 10 * len(body)

    def test_by_a_secret_that_is_no_base64_is_none_of_standard_webhooks(self):
        ProviderAccount.objects.filter(provider="kaivox").update(secret="whsec_not base64!")
        body, content_type = sample("kaivox_completed.json")
        stamp = str(int(NOW.timestamp()))
        headers = {"webhook-id": "x", "webhook-timestamp": stamp, "webhook-signature": "v1,AA=="}
        assert post("kaivox", body, content_type, sign=False, headers=headers).status_code == 401
        assert post("kaivox", body, content_type, secret="whsec_not base64!").status_code == 200

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

    @pytest.mark.parametrize("unsigned", (False, True))
    @pytest.mark.parametrize("slug", ("unknown", "%C2%84", "a%00b", "a b", "ü.x"))
    def test_an_unknown_business_looks_like_one_of_another_secret(self, settings, unsigned, slug):
        settings.VOICE_ALLOW_UNSIGNED = unsigned
        sent = sample("kaivox_completed.json")
        unknown = post("kaivox", *sent, slug=slug).json()
        wrong = post("kaivox", *sent, secret="wrong").json()
        assert unknown["code"] == "invalid_signature"
        assert unknown.pop("meta") != wrong.pop("meta")
        assert unknown == wrong


class TestVobizNonce:
    def test_is_good_for_one_body(self):
        body, content_type = sample("vobiz_hangup.form")
        url = "http://testserver/voice/vobiz/smile"
        headers = signature("vobiz", body, secret=SECRETS["vobiz"], url=url, at=0)
        how = {"sign": False, "headers": headers}
        assert post("vobiz", body, content_type, **how).status_code == 200
        assert post("vobiz", body, content_type, **how).status_code == 200
        forged = body.replace(b"919876543210", b"919876543211")
        assert post("vobiz", forged, content_type, **how).status_code == 401
        assert Call.objects.get().from_number == "+919876543210"

    def test_must_be_there(self):
        body, content_type = sample("vobiz_hangup.form")
        url = "http://testserver/voice/vobiz/smile"
        digest = hmac.new(SECRETS["vobiz"].encode(), f"{url}.".encode(), "sha256").digest()
        headers = {"X-Vobiz-Signature-V3": base64.b64encode(digest).decode()}
        response = post("vobiz", body, content_type, sign=False, headers=headers)
        assert response.status_code == 401


class TestRate:
    def test_is_one_of_each_account(self, settings):
        settings.VOICE_MESSAGES_PER_MINUTE = 2
        sent = sample("kaivox_completed.json")
        for _ in range(3):
            assert post("kaivox", *sent, secret="wrong").status_code == 401
        assert [post("kaivox", *sent).status_code for _ in range(3)] == [200, 200, 429]
        response = post("kaivox", *sent)
        assert response.json()["code"] == "rate_limit_exceeded"
        assert 0 < int(response["Retry-After"]) <= 60
        assert post("vapi", *sample("vapi_status_update.json")).status_code == 200


class TestBadRequests:
    def test_an_unknown_provider_is_not_found(self):
        body, content_type = sample("kaivox_completed.json")
        for path in ("/voice/zoom/smile", "/voice/", "/voice/kaivox/a/b"):
            response = APIClient().post(path, body, content_type=content_type)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")

    def test_other_methods_are_rejected(self):
        response = APIClient().get("/voice/kaivox/smile")
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")

    @pytest.mark.parametrize(
        ("provider", "body"),
        (
            ("vapi", b""),
            ("vapi", b"{"),
            ("vapi", b"[1]"),
            ("vapi", b"\xff\xfe"),
            ("vapi", b"[" * 100_000),
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
    def test_what_cannot_be_parsed_is_stored(self, provider, body):
        form = provider in ("twilio", "vobiz")
        response = post(provider, body, FORM if form else "application/json")
        assert response.status_code == 202, response.json()
        assert response.json()["data"]["error"]
        assert ProviderMessage.objects.get().state == "unreadable"
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
        payload = json.loads(sample("kaivox_completed.json")[0])
        payload["transcript"] = [
            {"speaker": "caller", "text": "word " * 15_000, "offset_seconds": second}
            for second in range(70)
        ]
        body = json.dumps(payload).encode()
        assert len(body) > 5_000_000
        assert post("kaivox", body).status_code == 200
        assert sum(len(one["text"]) for one in Call.objects.get().transcript) <= 1_000_000

    def test_a_body_without_its_length_is_rejected(self):
        """Django reads it as an empty one."""
        response = post("kaivox", b"", headers={"Transfer-Encoding": "chunked"})
        assert (response.status_code, response.json()["code"]) == (411, "length_required")
        assert not ProviderMessage.objects.exists()

    @pytest.mark.parametrize("provider", ("kaivox", "vapi", "twilio"))
    def test_a_compressed_body_is_rejected(self, provider):
        response = APIClient().generic(
            "POST", f"/voice/{provider}/smile", b"\x1f\x8b", HTTP_CONTENT_ENCODING="gzip"
        )
        assert (response.status_code, response.headers["Accept-Encoding"]) == (415, "identity")
        assert not ProviderMessage.objects.exists()

    @pytest.mark.parametrize(
        ("provider", "content_type", "limit"),
        (
            ("kaivox", "application/json", 8 * 1024 * 1024),
            ("kaivox", FORM, 64 * 1024),
            ("twilio", FORM, 64 * 1024),
            ("vobiz", FORM, 64 * 1024),
            ("vobiz", "application/json", 64 * 1024),
        ),
    )
    def test_a_large_body_is_rejected_before_it_is_read(
        self, monkeypatch, provider, content_type, limit
    ):
        within = post(provider, b" " * limit, content_type, sign=False)
        assert within.status_code == 401
        monkeypatch.setattr(HttpRequest, "read", None)
        response = post(provider, b" " * (limit + 1), content_type, sign=False)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert ("64 KiB" if limit == 64 * 1024 else "8 MiB") in response.json()["message"]
        assert not ProviderMessage.objects.exists()


class TestOurOwnFaults:
    def test_keep_the_message(self, monkeypatch, caplog):
        def stumble(incoming):
            raise KeyError("ours")

        monkeypatch.setattr(vapi, "read", stumble)
        response = post("vapi", *sample("vapi_status_update.json"))
        assert (response.status_code, response.json()["data"]["error"]) == (202, "KeyError: 'ours'")
        assert ProviderMessage.objects.get().state == "unreadable"
        assert "cannot be parsed" in caplog.text

    def test_of_the_database_let_the_provider_send_again(self, monkeypatch):
        def stumble(**report):
            raise OperationalError("away")

        monkeypatch.setattr(ingestion, "upsert_call", stumble)
        response = post("vapi", *sample("vapi_status_update.json"))
        assert (response.status_code, response.json()["code"]) == (503, "service_unavailable")
        assert "Retry-After" in response
        assert not ProviderMessage.objects.exists()


class TestReplay:
    def test_parses_a_stored_message_again(self):
        send("kaivox", "kaivox_completed.json")
        Call.objects.all().delete()
        message = ProviderMessage.objects.create(
            business=ProviderAccount.objects.first().business,
            provider="kaivox",
            state="unreadable",
            error="Our bug.",
            body=ingestion._seal(sample("kaivox_completed.json")[0]),
        )
        ingestion.replay(message=message, now=NOW)
        message.refresh_from_db()
        assert (message.state, message.error, message.replayed_at) == ("read", "", NOW)
        assert message.call == Call.objects.get()

    def test_changes_nothing_where_it_was_read_before(self):
        call = send("kaivox", "kaivox_completed.json")
        ingestion.replay(message=ProviderMessage.objects.get(), now=NOW + timedelta(days=3))
        assert Call.objects.get().updated_at == call.updated_at
        assert call_events() == ["call.completed"]


class TestForgetOldMessages:
    def test_keeps_them_for_thirty_days(self):
        send("kaivox", "kaivox_completed.json")
        assert ingestion.forget_old_messages(now=NOW + timedelta(days=30)) == 0
        assert ingestion.forget_old_messages(now=NOW + timedelta(days=30, seconds=1)) == 1
        assert Call.objects.count() == 1

    def test_does_not_show_what_they_say_in_the_database(self):
        send("kaivox", "kaivox_completed.json")
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT body FROM calls_message")
            assert "9876543210" not in cursor.fetchone()[0]
