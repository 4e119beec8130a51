"""The main job, told once from end to end, with real processes: a business's developer gets a key,
asks for free times, books one; the signed event arrives at their own receiver, they verify it; staff
see the delivery, with its HTTP status, in the admin. And once more when the receiver fails first."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time

import pytest
import requests
from django.db import connection
from standardwebhooks import Webhook

from tests.stack import running_stack
from tests.webhooks.receivers import running_receiver

PASSWORD = "only-for-this-test-1"
# In one process: each takes a second to start.
ISSUE_KEY_AND_MAKE_ADMINISTRATOR = """
from django.core.management import call_command
call_command("issue_api_key", "--business", "smile-dental", "--name", "Flow")
call_command("createsuperuser", "--noinput", "--username", "flow", "--email", "f@x.org", verbosity=0)
"""


@pytest.fixture(scope="module")
def migrated(django_db_setup, django_db_blocker):
    """The name of the suite's own database: its tables are there and empty, nobody is connected."""
    with django_db_blocker.unblock():
        connection.close()
    return str(connection.settings_dict["NAME"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory, migrated):
    with running_stack(
        tmp_path_factory.mktemp("flow"),
        migrated,
        WEBHOOK_RETRY_SCHEDULE="0.2,0.2,0.2",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    ) as it:
        yield it


@pytest.fixture(scope="module")
def api(stack):
    session = requests.Session()
    key = stack.manage("shell", "--no-imports", "-c", ISSUE_KEY_AND_MAKE_ADMINISTRATOR)
    session.headers["Authorization"] = f"Bearer {key}"
    return session


@pytest.fixture
def receiver():
    with running_receiver() as receiver:
        yield receiver


def _subscribe(stack, receiver) -> str:
    return stack.manage(
        "add_webhook", "--business", "smile-dental", "--url", receiver.url,
        "--event", "appointment.booked", "--event", "appointment.cancelled",
    )  # fmt: skip


def _book(stack, api) -> dict:
    """Books the first free time that the API offers."""
    base = f"{stack.url}/api/v1"
    service = api.get(f"{base}/services").json()["data"][0]
    customer = api.get(f"{base}/customers").json()["data"][0]
    slots = api.get(f"{base}/appointments/slots", params={"service_id": service["id"]}).json()
    first = slots["data"][0]["start_time"] if slots["data"] else slots["meta"]["next_available"]
    start_time = first if isinstance(first, str) else first["start_time"]
    answer = api.post(
        f"{base}/appointments",
        json={
            "customer_id": customer["id"],
            "service_id": service["id"],
            "start_time": start_time,
            "notes": "Zoë, ☎ only",
        },
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


@pytest.fixture(autouse=True)
def no_other_endpoints(stack, api):
    """Tests share the processes; an endpoint of one would get the events of the next."""
    base = f"{stack.url}/api/v1/webhooks"
    for endpoint in api.get(base).json()["data"]:
        assert api.delete(f"{base}/{endpoint['id']}").ok


class TestMainJob:
    def test_key_to_booking_to_verified_webhook_to_delivery_log(self, stack, api, receiver):
        secret = _subscribe(stack, receiver)
        booked = _book(stack, api)
        answered_at = time.monotonic()
        request = receiver.wait_for(1, seconds=5)[0]
        assert request.at - answered_at < 2

        # With a stock library …
        event = Webhook(secret).verify(request.body, request.headers)
        assert (event["type"], event["data"]) == ("appointment.booked", booked)

        # … and in five lines.
        fields = dict(part.split("=") for part in request.headers["X-KaiVox-Signature"].split(","))
        signed = fields["t"].encode() + b"." + request.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(fields["v1"], expected)
        assert abs(time.time() - int(fields["t"])) < 300

        assert _http_status_in_the_admin(stack, event["id"], receiver.url) == "200"

    def test_head_leaves_the_connection_clean(self, stack, api):
        services = f"{stack.url}/api/v1/services"
        assert api.head(services).content == b""
        assert api.get(services).json()["success"] is True

    def test_failed_delivery_goes_out_again_with_the_same_bytes(self, stack, api, receiver):
        hook = {"url": receiver.url, "event_types": ["appointment.booked"]}
        answer = api.post(f"{stack.url}/api/v1/webhooks", json=hook)
        secret = answer.json()["data"]["secret"]
        receiver.answer(500, 200)
        _book(stack, api)
        first, second = receiver.wait_for(2, seconds=10)
        assert first.body == second.body
        assert [r.headers["X-KaiVox-Attempt"] for r in (first, second)] == ["1", "2"]
        key = base64.b64decode(secret.removeprefix("whsec_"))
        for request in (first, second):
            parts = (request.headers["webhook-id"], request.headers["webhook-timestamp"])
            signed = ".".join(parts).encode() + b"." + request.body
            digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            assert request.headers["webhook-signature"] == f"v1,{digest}"
        event_id = json.loads(first.body)["id"]
        attempts = _attempts(api, stack, event_id)
        assert [(row["number"], row["http_status"]) for row in attempts] == [(1, 500), (2, 200)]


def _attempts(api, stack, event_id: str) -> list[dict]:
    """The attempts of the event's delivery, once it is settled."""
    base = f"{stack.url}/api/v1/webhooks"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for endpoint in api.get(base).json()["data"]:
            for row in api.get(f"{base}/{endpoint['id']}/deliveries").json()["data"]:
                if row["event_id"] == event_id and row["status"] == "succeeded":
                    return api.get(f"{base}/deliveries/{row['id']}").json()["data"]["attempts"]
        time.sleep(0.2)
    raise AssertionError("The delivery was not settled in time")


def _http_status_in_the_admin(stack, event_id: str, url: str) -> str:
    """What the delivery log of the admin shows a superuser who searches for the event: the HTTP
    status of its delivery to `url`."""
    login = f"{stack.url}/admin/login/"
    browser = requests.Session()
    browser.get(login)
    form = {"username": "flow", "password": PASSWORD, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
    assert browser.post(login, data=form, headers={"Referer": login}).status_code == 200
    log = f"{stack.url}/admin/webhooks/delivery/"
    page = browser.get(log, params={"q": event_id}).text
    results = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [row for row in results.split("<tr>") if event_id in row and url in row]
    assert len(rows) == 1, page
    return re.search(r'class="field-last_http_status[^"]*">([^<]*)<', rows[0])[1]
