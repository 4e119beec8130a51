"""Each kind of value, sent through bodies, queries, forms, imports and voice messages: the same
verdict everywhere, and never a server error."""

from __future__ import annotations

import json
from contextlib import suppress
from urllib.parse import quote

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.core.validators import validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appointments.admin_forms import LocalDateFormField, move_form
from appointments.models import Appointment
from calls.call_report import UnparsableMessage
from calls.providers import PROVIDERS
from calls.providers.incoming import Incoming
from calls.providers.kaivox import report_of
from customers.admin import CustomerForm
from customers.phones import to_e164
from kaivox.api.values import (
    check_name,
    parse_date,
    parse_id,
    parse_instant,
    parse_seconds,
    parse_wall_time,
    parse_zone,
)
from ratelimits.throttling import EnterpriseThrottle
from staff.minute_of_day import ClockFormField
from tests.effort import examples
from tests.object_graph import API, make_world

pytestmark = pytest.mark.django_db

LOOK_ALIKES = "０１９٠٩०९𝟎²–−：﹕／＋\u00a0\u200b\u200e\u2028\ufeff\u3000éＴＺ"
ORDINARY = " \t\n\x07\x00+-:.,/TtZz059aA@'\\%"
FEW = settings(max_examples=examples(40, quick=8))


@st.composite
def altered(draw, *valid):
    """A valid text as it is, or with a few characters replaced, added or removed; or none."""
    text = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        put = draw(st.text(st.sampled_from(LOOK_ALIKES + ORDINARY), max_size=2))
        text = text[:at] + put + text[at + draw(st.integers(0, 2)) :]
    return draw(st.sampled_from((text, text, text, f" {text}", f"{text}\n", "", " ", text * 40)))


@pytest.fixture
def mine(business, monkeypatch):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)
    return make_world(business)


@pytest.fixture
def client(client):
    client.raise_request_exception = False
    return client


def accepted(parse, text):
    try:
        parse(text)
    except ValueError:
        return False
    # Neither a body nor a query may hold these; forms reject NUL too.
    return "\x00" not in text


def validate_email_text(text):
    """Raises ValueError, as the other parsers do."""
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError(text) from error


def takes(response, field):
    """Whether the response does not blame `field`; its other fields may be wrong."""
    assert response.status_code < 500, response.content
    if response.status_code < 400:
        return True
    body = response.json()
    return (
        body["code"] not in ("invalid_json", "nonexistent_local_time")
        and field not in body["errors"]
    )


def voice_takes(field, value):
    message = {"call_id": "c", "status": "completed", field: value}
    try:
        report_of(message)
    except UnparsableMessage as error:
        return not str(error).startswith(f"{field}: ")
    return True


def provider_takes(provider, message):
    """Whether a provider's module reads `message`, a form or a JSON object."""
    try:
        PROVIDERS[provider].read(Incoming(json.dumps(message).encode(), "application/json"))
    except UnparsableMessage:
        return False
    return True


def import_takes(business, tmp_path, capsys, field, value):
    """Whether `import_calls` does not blame `field` of a line, and reads the line after it."""
    lines = [{"call_id": "c", "status": "completed", field: value}]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(map(json.dumps, [*lines, {"call_id": "d", "status": "missed"}])))
    with suppress(CommandError):
        call_command("import_calls", str(path), business=business.slug)
    said = capsys.readouterr().err
    assert "line 2" not in said
    assert "Error" not in said  # the name of an exception that is not about the line
    return f"line 1: {field}: " not in said


def form_takes(field, value):
    try:
        field.clean(value)
    except forms.ValidationError:
        return False
    return True


class TestInstant:
    @FEW
    @given(
        altered("2026-03-02T09:30:00Z", "2026-03-02 09:30:00+05:30", "20260302T0930-05", "2026-03-02T09:30 05:30")
    )  # fmt: skip
    @example("2026-03-02T09:3０:00Z")
    @example("2026-03-02T24:00:00Z")
    @example("2026-03-02T09:30:00+24:00")
    def test_has_one_verdict(self, client, mine, business, tmp_path, capsys, text):
        right = accepted(parse_instant, text)
        recover = f"{API}/webhooks/{mine.id_of('webhook')}/recover"
        assert takes(client.post(recover, {"since": text}), "since") is right
        for path, name in (("customers", "updated_since"), ("customers", "created_from")):
            response = client.get(f"{API}/{path}", {name: text})
            # `created_from` takes a date too.
            also = name == "created_from" and accepted(parse_date, text)
            assert takes(response, name) is (right or also)
        # Of a voice message NUL is dropped before it is read, and an empty text means nothing known.
        if text and "\x00" not in text:
            assert voice_takes("started_at", text) is right
            assert import_takes(business, tmp_path, capsys, "started_at", text) is right
            # Providers may leave out the offset of UTC, and none is believed about other ages.
            known = right or accepted(parse_instant, f"{text}Z")
            report = {"type": "end-of-call-report", "call": {"id": "c"}, "startedAt": text}
            assert provider_takes("vapi", {"message": report}) is known
            hangup = {"CallUUID": "c", "CallStatus": "completed", "EndTime": text}
            assert provider_takes("vobiz", hangup) is known


class TestDuration:
    @FEW
    @given(altered("67", "0", "6.5", "86400"))
    @example("６7")
    @example("1_0")
    @example("nan")
    def test_has_one_verdict(self, client, mine, text):
        digits = text.isascii() and text.isdigit()
        response = client.get(f"{API}/calls", {"min_duration": text})
        assert takes(response, "min_duration") is (digits and int(text[:19]) < 2**31)
        assert voice_takes("duration_seconds", text) is (not text)  # a JSON number, or nothing
        if text and "\x00" not in text:
            right = accepted(parse_seconds, text)
            report = {"type": "end-of-call-report", "call": {"id": "c"}, "durationSeconds": text}
            assert provider_takes("vapi", {"message": report}) is right
            ended = {"CallSid": "c", "CallStatus": "completed", "CallDuration": text}
            assert provider_takes("twilio", ended) is right


class TestMoveForm:
    """The form by which the admin moves an appointment has the parsers of the API."""

    @FEW
    @given(altered("2026-03-02"), altered("09:30", "23:59"))
    def test_has_the_verdicts_of_the_api(self, mine, day, time):
        appointment = Appointment.objects.get(pk=mine.id_of("appointment"))
        errors = move_form(appointment)({"day": day, "time": time, "staff": ""}).errors
        if "\x00" not in day + time:
            assert ("day" not in errors) is accepted(parse_date, day)
            assert ("time" not in errors) is accepted(parse_wall_time, time)


class TestDate:
    @FEW
    @given(altered("2026-03-02", "2024-02-29", "1900-01-01"))
    @example("٢٠٢٦-٠٣-٠٢")
    @example("2026-02-30")
    def test_has_one_verdict(self, client, mine, text):
        right = accepted(parse_date, text)
        body = {"appointment_date": text, "appointment_time": "09:30"}
        assert takes(client.post(f"{API}/appointments", body), "appointment_date") is right
        assert takes(client.post(f"{API}/appointments/holds", body), "appointment_date") is right
        assert takes(client.get(f"{API}/calls", {"date": text}), "date") is right
        query = {"service_id": mine.id_of("service"), "date": text}
        assert takes(client.get(f"{API}/appointments/slots", query), "date") is right
        if "\x00" not in text:
            assert form_takes(LocalDateFormField(), text) is right


class TestWallTime:
    @FEW
    @given(altered("09:30", "9:00", "23:59"))
    @example("09:3０")
    @example("𝟎9:30")
    def test_has_one_verdict(self, client, mine, text):
        right = accepted(parse_wall_time, text) and text.strip() != "24:00"
        body = {"appointment_date": "2026-03-02", "appointment_time": text}
        for path in ("appointments", "appointments/holds"):
            assert takes(client.post(f"{API}/{path}", body), "appointment_time") is right
        url = f"{API}/appointments/{mine.id_of('appointment')}"
        assert takes(client.patch(url, body), "appointment_time") is right
        if "\x00" not in text:
            assert form_takes(ClockFormField(), text) is (right or text.strip() == "24:00")


class TestZone:
    @FEW
    @given(altered("Asia/Kolkata", "Etc/GMT+5", "UTC", "localtime"))
    def test_has_one_verdict(self, client, mine, text):
        right = accepted(parse_zone, text.strip()) and bool(text.strip())
        body = {"appointment_date": "2026-03-02", "appointment_time": "10:00", "timezone": text}
        assert takes(client.post(f"{API}/appointments", body), "timezone") is right
        query = {"service_id": mine.id_of("service"), "timezone": text}
        assert takes(client.get(f"{API}/appointments/slots", query), "timezone") is right


class TestName:
    @FEW
    @given(altered("Asha Rao", "Élodie", "\u200b", "明", "x" * 200, "x" * 201))
    def test_has_one_verdict(self, client, mine, business, tmp_path, capsys, text):
        stripped = text.strip()
        right = accepted(check_name, stripped) and len(stripped) <= 200
        assert takes(client.post(f"{API}/customers", {"name": text}), "name") is right
        url = f"{API}/customers/{mine.id_of('customer')}"
        assert takes(client.patch(url, {"name": text}), "name") is right
        if "\x00" not in text:
            assert ("name" not in CustomerForm({"name": text}).errors) is right
            assert voice_takes("caller_name", text) is (right or not stripped)
            known = import_takes(business, tmp_path, capsys, "caller_name", text)
            assert known is (right or not stripped)


class TestPhone:
    @FEW
    @given(altered("+919876543210", "098765 43210", "+1 212 555 0100"))
    def test_has_one_verdict(self, client, mine, business, tmp_path, capsys, text):
        stripped = text.strip()
        right = not stripped or accepted(lambda phone: to_e164(phone, country="IN"), stripped)
        body = {"name": "Asha", "email": "asha@example.com", "phone": text}
        response = client.post(f"{API}/customers", body)
        assert (response.status_code == 409 or takes(response, "phone")) is right
        if stripped:
            response = client.get(f"{API}/customers", {"phone": stripped})
            assert takes(response, "phone") is right
        if "\x00" not in text:
            form = CustomerForm({"name": "Asha", "phone": text, "business": business.pk})
            assert ("phone" not in form.errors) is right
            # A caller without a phone number is a call without a customer, never an error.
            short = len(stripped) <= 200
            assert import_takes(business, tmp_path, capsys, "from_number", text) is short


class TestEmail:
    @FEW
    @given(altered("asha@example.com", "a+b@é.in", "x" * 64 + "@" + "x" * 60 + ".in"))
    @example("x" * 64 + "@" + ("x" * 61 + ".") * 3 + "in")
    @example("asha@example．com")
    def test_has_one_verdict(self, client, mine, business, text):
        stripped = text.strip()
        right = not stripped or (accepted(validate_email_text, stripped) and len(stripped) <= 254)
        body = {"name": "Asha", "phone": "+919876500001", "email": text}
        response = client.post(f"{API}/customers", body)
        assert (response.status_code == 409 or takes(response, "email")) is right
        url = f"{API}/customers/{mine.id_of('customer')}"
        response = client.patch(url, {"phone": "+919876500002", "email": text})
        assert (response.status_code == 409 or takes(response, "email")) is right
        if "\x00" not in text:
            form = CustomerForm({"name": "Asha", "email": text, "business": business.pk})
            assert ("email" not in form.errors) is right
        if stripped:
            # A filter finds none rather than rejecting what no customer has.
            response = client.get(f"{API}/customers", {"email": text})
            known = "\x00" not in text and (right or len(text) <= 254)
            assert takes(response, "email") is known


class TestId:
    @FEW
    @given(altered("1", "9223372036854775807", "9223372036854775808"))
    @example("１")
    @example("²")
    def test_has_one_verdict(self, client, mine, text):
        known = parse_id(text) is not None
        for path, name in (("appointments", "staff_id"), ("calls", "customer_id")):
            response = client.get(f"{API}/{path}", {name: text})
            assert response.status_code in ((200, 422) if known else (422, 400))
        if text and not set(text) & set("/.?#%"):
            response = client.get(f"{API}/customers/{quote(text)}")
            assert response.status_code in ((200, 404) if known else (400, 404))
        assert client.post(f"{API}/appointments", {"customer_id": text}).status_code in (400, 422)


class TestAnyValue:
    """Whatever JSON has, in each field of a voice message and of a body."""

    VALUES = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5), st.lists(st.none(), max_size=2), st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
    )  # fmt: skip
    FIELDS = (
        "call_id", "status", "direction", "from_number", "to_number", "caller_name", "started_at", "ended_at",
        "duration_seconds", "end_reason", "outcome", "sentiment", "sentiment_score", "summary", "recording_url",
        "transcript", "analysis_follows",
    )  # fmt: skip

    @FEW
    @given(st.sampled_from(FIELDS), VALUES)
    def test_in_a_voice_message_is_no_server_error(self, client, business, settings, field, value):
        settings.VOICE_ALLOW_UNSIGNED = True
        message = {"call_id": "c", "status": "completed", field: value}
        response = client.post(f"/voice/kaivox/{business.slug}", message)
        assert response.status_code in (200, 400, 422), response.content
        assert "Error" not in json.loads(response.content).get("message", "")
