from __future__ import annotations

import json
import time

import pytest

from kaivox import WebhookVerificationError, verify_webhook
from kaivox.events import AppointmentBookedEvent, AppointmentRescheduledEvent
from kaivox.models import Event
from kaivox.webhooks import new_secret, sign_webhook

SECRET = "whsec_" + "A" * 43 + "="
NOW = 1_767_225_600


def body_of(kind="appointment.booked", **data):
    event = {
        "id": "evt_1",
        "type": kind,
        "created_at": "2026-01-01T00:00:00Z",
        "data": {"id": 1, **data},
    }
    return json.dumps(event).encode()


def headers_of(body, secret=SECRET, timestamp=NOW):
    return sign_webhook(body, secret, event_id="evt_1", timestamp=timestamp)


class TestVerifyWebhook:
    def test_returns_the_event_as_the_model_of_its_type(self):
        body = body_of()
        event = verify_webhook(body, headers_of(body), SECRET, now=NOW)
        assert isinstance(event, AppointmentBookedEvent)
        assert event.data.id == 1

    def test_of_a_move_has_the_time_before(self):
        body = body_of("appointment.rescheduled", previous_start_time="2026-01-02T00:00:00Z")
        event = verify_webhook(body, headers_of(body), SECRET, now=NOW)
        assert isinstance(event, AppointmentRescheduledEvent)
        assert event.data.previous_start_time.day == 2

    def test_of_a_type_of_tomorrow_is_an_event(self):
        body = body_of("invoice.paid")
        event = verify_webhook(body, headers_of(body), SECRET, now=NOW)
        assert type(event) is Event
        assert event.data == {"id": 1}

    def test_reads_headers_in_any_case_and_text(self):
        body = body_of()
        headers = {name.upper(): value for name, value in headers_of(body).items()}
        assert verify_webhook(body.decode(), headers, SECRET, now=NOW).id == "evt_1"

    def test_accepts_either_secret_during_a_rotation(self):
        body, new = body_of(), new_secret()
        headers = headers_of(body)
        headers["webhook-signature"] += " " + headers_of(body, new)["webhook-signature"]
        assert verify_webhook(body, headers, new, now=NOW)
        assert verify_webhook(body, headers_of(body), [new, SECRET], now=NOW)

    @pytest.mark.parametrize(
        "change",
        [
            {"webhook-id": "evt_2"},
            {"webhook-timestamp": str(NOW + 1)},
            {"webhook-timestamp": ""},
            {"webhook-timestamp": "9" * 5000},
            {"webhook-timestamp": "²"},
            {"webhook-signature": ""},
            {"webhook-signature": "v1,"},
            {"webhook-signature": "v1,\udcff"},
            {"webhook-signature": "v2,AAAA"},
        ],
    )
    def test_rejects_changed_headers(self, change):
        body = body_of()
        with pytest.raises(WebhookVerificationError):
            verify_webhook(body, {**headers_of(body), **change}, SECRET, now=NOW)

    def test_rejects_another_body_another_secret_and_an_old_request(self):
        body = body_of()
        headers = headers_of(body)
        for arguments in (
            (body + b" ", headers, SECRET, NOW),
            (body, headers, new_secret(), NOW),
            (body, headers, SECRET, NOW + 301),
            (body, headers, SECRET, NOW - 301),
            (body, headers, "not a secret", NOW),
        ):
            *rest, now = arguments
            with pytest.raises(WebhookVerificationError) as caught:
                verify_webhook(*rest, now=now)
            assert SECRET not in str(caught.value)

    def test_knows_the_time(self):
        body = body_of()
        assert verify_webhook(body, headers_of(body, timestamp=int(time.time())), SECRET)
