"""No key, token or secret is in a span, a report to Sentry or a line of the log."""

from __future__ import annotations

import json
import logging

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from kaivox.api.logging import JsonFormatter, RedactSecretsFormatter
from staff.calendar_feeds import open_feed
from tests import factories
from webhooks import tasks

HEADER_VALUE = "planted-header-value-8c1f"
PERSON = {"name": "Planted Person", "phone": "+919811122233", "email": "planted@example.com"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def log():
    """Lines of the log at DEBUG, in both formats."""
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(RedactSecretsFormatter("%(name)s %(message)s").format(record))
            lines.append(JsonFormatter().format(record))

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def planted(business, receiver):
    """Secrets by name, each of which the requests of these tests carry or use."""
    endpoint = factories.make_endpoint(
        business, url=f"{receiver.url}?token={HEADER_VALUE}", custom_headers=json.dumps({"X-Own": HEADER_VALUE})
    )  # fmt: skip
    person = factories.make_staff(business)
    return {
        "key": factories.make_key(business),
        "calendar token": open_feed(staff=person, now=timezone.now()),
        "webhook secret": endpoint.secret,
        "custom header": HEADER_VALUE,
    }


def ways_to_carry(key):
    """The path suffix and headers of each way to send a key."""
    return (
        (f"?api_key={key}", {}),
        (f"?api%5Fkey={key}&search=x", {}),
        (f"?search={key}", {"X-API-Key": key}),
        ("", {"X-API-Key": key}),
        ("", {"Authorization": f"Bearer {key}"}),
        ("", {"X-API-Key": key, "Referer": f"https://x.example/?api_key={key}", "User-Agent": key}),
    )


def send_all(planted, method, path, data=None):
    """The statuses of one request in each way, with the key of `planted`, and with a bad one."""
    client = APIClient(raise_request_exception=False)
    statuses = []
    for key in (planted["key"], planted["key"][:-1] + "!"):
        for suffix, headers in ways_to_carry(key):
            response = getattr(client, method)(
                f"{path}{suffix}", data, format="json", headers=headers
            )
            statuses.append(response.status_code)
    return set(statuses)


def check(planted, spans, sentry, log):
    shown = {
        "spans": [span.to_json() for span in spans.get_finished_spans()],
        "sentry": sentry,
        "log": log,
    }
    for place, texts in shown.items():
        for text in texts:
            for name, secret in planted.items():
                assert secret not in text, f"{name} in {place}"
                assert secret[8:] not in text, f"a part of {name} in {place}"
            if place != "log":
                for value in PERSON.values():
                    assert value not in text, f"personal data in {place}"


class TestSecrets:
    def test_of_successful_requests(self, planted, spans, sentry, log):
        assert send_all(planted, "get", "/api/v1/customers") == {200, 401}
        feed = APIClient().get(f"/calendar/{planted['calendar token']}.ics")
        assert feed.status_code == 200
        assert spans.get_finished_spans()
        check(planted, spans, sentry, log)

    def test_of_rejected_requests(self, planted, spans, sentry, log):
        assert send_all(planted, "get", "/api/v1/nothing") <= {404, 401}
        assert send_all(planted, "post", "/api/v1/customers", {"name": 5}) <= {422, 401}
        assert send_all(planted, "put", "/api/v1/customers") <= {405, 401}
        assert APIClient().get(f"/calendar/{planted['calendar token']}x.ics").status_code == 404
        check(planted, spans, sentry, log)

    def test_of_crashes(self, planted, spans, sentry, log, monkeypatch):
        secrets = " ".join(planted.values()) + " " + " ".join(PERSON.values())

        def crash(**_):
            private = secrets  # a local variable of the traceback
            raise RuntimeError("it failed") from ValueError(f"{private[:0]}its cause")

        monkeypatch.setattr("customers.operations.create_customer", crash)
        statuses = send_all(planted, "post", "/api/v1/customers", PERSON)
        assert 500 in statuses
        assert any("RuntimeError" in text for text in sentry)
        check(planted, spans, sentry, log)

    def test_in_the_messages_of_crashes(self, planted, spans, sentry, log, monkeypatch):
        contact = f"{PERSON['phone']} {PERSON['email']}"

        def crash(**_):
            logging.getLogger("customers").error("Failing for %s", contact)
            text = f"{planted['key']} {planted['webhook secret']} /calendar/{planted['calendar token']}.ics"
            raise RuntimeError(f"{text} {contact}\nDETAIL:  Key (name)=({PERSON['name']}) exists.")

        monkeypatch.setattr("customers.operations.create_customer", crash)
        assert 500 in send_all(planted, "post", "/api/v1/customers", PERSON)
        assert any("RuntimeError" in text for text in sentry)
        check(planted, spans, sentry, log)

    @pytest.mark.parametrize("status", (200, 500))
    def test_of_webhooks(self, planted, spans, sentry, log, receiver, status):
        receiver.respond_with(status)
        client = APIClient(headers={"X-API-Key": planted["key"]})
        assert client.post("/api/v1/customers", PERSON, format="json").status_code == 201
        tasks.sweep()
        [request] = receiver.requests
        assert request.headers["X-Own"] == HEADER_VALUE
        assert not {"sentry-trace", "baggage"} & {name.lower() for name in request.headers}
        check(planted, spans, sentry, log)

    def test_of_a_webhook_that_crashes_its_worker(self, planted, spans, sentry, log, monkeypatch):
        client = APIClient(headers={"X-API-Key": planted["key"]})
        assert client.post("/api/v1/customers", PERSON, format="json").status_code == 201

        def crash(url, headers, body, *, endpoint_id, extra_headers):
            raise RuntimeError("unexpected")

        monkeypatch.setattr("requests.Session.send", crash)
        tasks.sweep()
        assert any("unexpected" in text for text in sentry)
        check(planted, spans, sentry, log)


class TestReports:
    def test_have_a_traceback_and_the_request_id(self, client, sentry, monkeypatch):
        monkeypatch.setattr("customers.operations.create_customer", lambda **_: 1 / 0)
        client.raise_request_exception = False
        client.post("/api/v1/customers", PERSON, headers={"X-Request-ID": "mine-1"})
        [envelope] = sentry  # and none for the line "Internal Server Error"
        event = json.loads(envelope.splitlines()[2])
        assert event["tags"] == {"request_id": "mine-1"}
        [error] = event["exception"]["values"]
        assert error["type"] == "ZeroDivisionError"
        assert error["stacktrace"]["frames"][-1]["function"] == "<lambda>"
        assert not any("vars" in frame for frame in error["stacktrace"]["frames"])

    def test_of_pages_have_a_traceback_too(self, sentry):
        logger, token = logging.getLogger("django.request"), "abc"
        try:
            raise RuntimeError(PERSON["email"])
        except RuntimeError:
            logger.exception("Failed: /calendar/%s", token, extra={"request": PERSON["name"]})
        [envelope] = sentry
        assert "RuntimeError" in envelope
        assert not [value for value in PERSON.values() if value in envelope]
        assert "/calendar/abc" not in envelope

    def test_are_not_sent_for_rejected_requests(self, client, sentry):
        assert client.post("/api/v1/customers", {"name": 5}).status_code == 422
        assert sentry == []
