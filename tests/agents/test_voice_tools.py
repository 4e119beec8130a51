"""Tools as voice providers call them: formats, signatures, limits."""

from __future__ import annotations

import json

import pytest

from appointments.models import Appointment
from calls.models import Call, ToolCall
from kaivox.agents import requests
from ratelimits.limiter import Quota
from tests.agents.ways import Bland, ElevenLabs, Engine, Retell, Vapi, VapiServerUrl
from tests.calls.provider_client import sample, signature

pytestmark = pytest.mark.django_db


@pytest.fixture
def vapi(clinic):
    return Vapi(clinic.business, phone="+919876543210")


@pytest.fixture
def retell(clinic):
    return Retell(clinic.business, phone="+919876543210")


def item(number, tool, **arguments):
    return {
        "id": f"tc{number}",
        "type": "function",
        "function": {"name": tool, "arguments": arguments},
    }


class TestVapi:
    def post(self, vapi, message):
        return vapi.signed("vapi", vapi.address(), message, vapi.secret)

    def test_several_calls_in_one_message(self, vapi):
        message = vapi.message(
            item(1, "book", service="Cleaning", start="tomorrow 10:00", name="Asha"),
            item(2, "business_info"),
            item(3, "sing"),
        )
        results = self.post(vapi, message).json()["results"]
        assert [one["toolCallId"] for one in results] == ["tc1", "tc2", "tc3"]
        statuses = [json.loads(one["result"])["status"] for one in results]
        assert statuses == ["ok", "ok", "unknown_tool"]
        assert Appointment.objects.count() == 1
        assert ToolCall.objects.count() == 3

    def test_the_longer_list(self, vapi):
        message = vapi.message()
        message["message"]["toolWithToolCallList"] = [
            {"type": "function", "name": "business_info", "toolCall": item(1, "business_info")}
        ]
        result = self.post(vapi, message).json()["results"][0]
        assert json.loads(result["result"])["business"] == "Smile Dental"

    @pytest.mark.parametrize(
        "body",
        (
            b"not json",
            b"{}",
            b'{"message": {"type": "tool-calls"}}',
            b'{"message": {"type": "tool-calls", "toolCallList": [{}]}}',
            b'{"message": {"type": "tool-calls", "toolCallList": [{"function": {"name": 5}}]}}',
            b'{"message": {"type": "tool-calls", "toolCallList": [{"id": "a", "function": '
            b'{"name": "book", "arguments": "{not json"}}]}}',
        ),
    )
    def test_what_cannot_be_read_is_200_with_a_sentence(self, vapi, body):
        response = self.post(vapi, body)
        assert response.status_code == 200
        (result,) = response.json()["results"]
        assert json.loads(result["result"])["say"]

    def test_an_oversized_argument_is_200_with_a_sentence(self, vapi):
        message = vapi.message(item(1, "take_message", message="x" * 1_000_000))
        response = self.post(vapi, message)
        assert response.status_code == 200
        assert json.loads(response.json()["results"][0]["result"])["status"] == "invalid_arguments"

    def test_messages_about_calls_are_still_read(self, clinic):
        body, _ = sample("vapi_end_of_call_report.json")
        vapi = VapiServerUrl(clinic.business)
        response = vapi.signed("vapi", "/voice/vapi/smile", body, vapi.secret)
        assert response.json()["data"]["state"] == "read"
        assert Call.objects.count() == 1


class TestRetell:
    def test_arguments_at_the_root(self, retell):
        path = "/voice/retell/smile/tools/find_times"
        body = {"service": "Cleaning", "day": "tomorrow"}
        response = retell.signed("retell", path, body, retell.secret)
        assert response.json()["status"] == "ok"

    def test_the_call_of_an_outbound_call(self, retell):
        call = {
            "call_id": "c1",
            "direction": "outbound",
            "from_number": "+918012345678",
            "to_number": "+919876500000",
        }
        body = {
            "name": "book",
            "call": call,
            "args": {"service": "Cleaning", "start": "tomorrow 10:00", "name": "Asha"},
        }
        retell.signed("retell", "/voice/retell/smile/tools", body, retell.secret)
        assert Appointment.objects.get().customer.phone == "+919876500000"

    def test_without_a_name_is_422(self, retell):
        response = retell.signed("retell", "/voice/retell/smile/tools", {"args": {}}, retell.secret)
        assert response.status_code == 422


class TestSignatures:
    @pytest.mark.parametrize("way", (Vapi, VapiServerUrl, Retell, ElevenLabs, Bland, Engine))
    def test_that_are_wrong_are_401_and_leave_nothing(self, clinic, way):
        line = way(clinic.business)
        line.secret = "another one"
        with pytest.raises(AssertionError, match="invalid_signature"):
            line.call("take_message", message="hello", phone="+919876543210", name="A")
        assert not ToolCall.objects.exists()

    @pytest.mark.parametrize("provider", ("vapi", "retell", "elevenlabs", "bland", "kaivox"))
    def test_that_are_missing_are_401(self, clinic, provider):
        line = Vapi(clinic.business)
        response = line.post(f"/voice/{provider}/smile/tools/business_info", {})
        assert response.status_code == 401

    def test_are_those_of_the_business(self, clinic, other_business):
        theirs = Bland(other_business)
        theirs.secret = Bland(clinic.business).secret + "x"
        with pytest.raises(AssertionError, match="invalid_signature"):
            theirs.call("business_info")

    def test_of_a_provider_that_has_no_tools(self, clinic):
        line = Vapi(clinic.business)
        headers = signature(
            "twilio", b"", secret="s", url="http://testserver/voice/twilio/smile/tools", at=0
        )
        assert line.post("/voice/twilio/smile/tools/book", b"", headers).status_code == 404


class TestPlainWebhooks:
    @pytest.fixture
    def line(self, clinic):
        return ElevenLabs(clinic.business)

    def post(self, line, body, path="/voice/elevenlabs/smile/tools/business_info"):
        return line.post(path, body, {"Authorization": f"Bearer {line.secret}"})

    @pytest.mark.parametrize("body", (b"not json", b"[]", b'{"arguments": 5}', b'"text"'))
    def test_what_cannot_be_read_is_a_sentence(self, line, body):
        response = self.post(line, body)
        assert response.status_code == 200
        assert response.json()["status"] == "failed"
        assert response.json()["say"]

    def test_an_empty_body_is_no_arguments(self, line):
        assert self.post(line, b"").json()["status"] == "ok"

    def test_an_oversized_body_is_413(self, line):
        response = self.post(line, {"service": "x" * 70_000})
        assert response.status_code == 413

    def test_unknown_tools_are_named(self, line):
        result = self.post(line, {}, "/voice/elevenlabs/smile/tools/find_time").json()
        assert (result["status"], result["did_you_mean"]) == ("unknown_tool", ["find_times"])

    def test_unfilled_templates_are_no_call(self, line):
        line.post(
            "/voice/elevenlabs/smile/tools/business_info",
            {},
            {"Authorization": f"Bearer {line.secret}", "X-Call-Id": "{{call_id}}"},
        )
        assert ToolCall.objects.get().provider_call_id == ""

    def test_too_many_are_put_off(self, line, monkeypatch):
        monkeypatch.setattr(requests, "TOOL_CALLS", Quota(per_minute=1))
        assert line.call("business_info")["status"] == "ok"
        assert line.call("business_info")["status"] == "too_many_requests"


class TestOwnEngine:
    def test_gets_an_error_that_says_what_is_wrong(self, clinic):
        line = Engine(clinic.business)
        response = line.signed("kaivox", "/voice/kaivox/smile/tools/book", b"no", line.secret)
        assert response.status_code == 422


class TestAccounts:
    @pytest.mark.parametrize("way", (ElevenLabs, Bland), ids=lambda way: way.name)
    def test_with_a_secret_that_no_key_decrypts_are_unavailable(self, clinic, settings, way):
        line = way(clinic.business)
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "unrelated-to-the-old-key" * 3, []
        path = f"/voice/{line.provider}/{clinic.business.slug}/tools/business_info"
        response = line.post(path, {}, {"Authorization": f"Bearer {line.secret}"})
        assert (response.status_code, response.json()["code"]) == (503, "service_unavailable")
