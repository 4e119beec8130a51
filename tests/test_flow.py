"""The main use case from end to end, with real processes.

A developer gets a key, reads the slots and books one; the signed event arrives at the developer's
receiver and is verified; staff see the delivery with its HTTP status in the admin. A second test does
the same with a receiver that fails first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time

import pytest
import requests
from standardwebhooks import Webhook

from tests.stack import ADMINISTRATOR_PASSWORD
from tests.webhooks.receivers import running_receiver

# In one process: each `manage.py` takes a second to start.
ISSUE_KEY_AND_MAKE_ADMINISTRATOR = """
from django.core.management import call_command
call_command("issue_api_key", "--business", "smile-dental", "--name", "Flow")
call_command("createsuperuser", "--noinput", "--username", "flow", "--email", "f@x.org", verbosity=0)
"""


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
    """Books the first slot that the API offers."""
    base = f"{stack.url}/api/v1"
    service = api.get(f"{base}/services").json()["data"][0]
    customer = api.get(f"{base}/customers").json()["data"][0]
    slots = api.get(f"{base}/appointments/slots", params={"service_id": service["id"]}).json()
    first = slots["data"][0]["start_time"] if slots["data"] else slots["meta"]["next_available"]
    start_time = first if isinstance(first, str) else first["start_time"]
    response = api.post(
        f"{base}/appointments",
        json={
            "customer_id": customer["id"],
            "service_id": service["id"],
            "start_time": start_time,
            "notes": "Zoë, ☎ only",
        },
    )
    assert response.status_code == 201, response.text
    return response.json()["data"]


@pytest.fixture(autouse=True)
def no_other_endpoints(stack, api):
    """Tests share the processes: an endpoint of one would receive the events of the next."""
    base = f"{stack.url}/api/v1/webhooks"
    for endpoint in api.get(base).json()["data"]:
        assert api.delete(f"{base}/{endpoint['id']}").ok


class TestMainJob:
    def test_key_to_booking_to_verified_webhook_to_delivery_log(self, stack, api, receiver):
        secret = _subscribe(stack, receiver)
        booked = _book(stack, api)
        request = receiver.wait_for(1, seconds=60)[0]

        # With a standard library …
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

    def test_failed_delivery_is_retried_with_the_same_bytes(self, stack, api, receiver):
        hook = {"url": receiver.url, "event_types": ["appointment.booked"]}
        response = api.post(f"{stack.url}/api/v1/webhooks", json=hook)
        secret = response.json()["data"]["secret"]
        receiver.respond_with(500, 200)
        _book(stack, api)
        first, second = receiver.wait_for(2, seconds=60)
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
    """The attempts of the event's delivery, once it has succeeded."""
    base = f"{stack.url}/api/v1/webhooks"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for endpoint in api.get(base).json()["data"]:
            for row in api.get(f"{base}/{endpoint['id']}/deliveries").json()["data"]:
                if row["event_id"] == event_id and row["status"] == "succeeded":
                    return api.get(f"{base}/deliveries/{row['id']}").json()["data"]["attempts"]
        time.sleep(0.2)
    raise AssertionError("The delivery did not succeed in time")


def _http_status_in_the_admin(stack, event_id: str, url: str) -> str:
    """The HTTP status of the event's delivery to `url` in the delivery log of the admin."""
    login = f"{stack.url}/admin/login/"
    browser = requests.Session()
    browser.get(login)
    form = {"username": "flow", "password": ADMINISTRATOR_PASSWORD, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
    assert browser.post(login, data=form, headers={"Referer": login}).status_code == 200
    log = f"{stack.url}/admin/webhooks/delivery/"
    page = browser.get(log, params={"q": event_id}).text
    results = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [row for row in results.split("<tr>") if event_id in row and url in row]
    assert len(rows) == 1, page
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", rows[0], flags=re.DOTALL)
    texts = [re.sub(r"<[^>]*>", "", cell).strip() for cell in cells]
    return next(text for text in texts if re.fullmatch(r"\d{3}", text))
