"""The samples of writes: each language sends the same request, and the API accepts it.

The programs run against a server that records requests: a process a language is enough.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from django.utils import timezone

from kaivox.pages.docs.samples import samples
from kaivox.pages.openapi_reader import operations
from tests import factories
from webhooks.models import Delivery

pytestmark = pytest.mark.once

KEY = "kv_live_of-the-reader"
WRITES = {
    operation.anchor: operation
    for operation in operations()
    if operation.method != "get" and not operation.is_signed
}
_DATES = ("appointment_date", "first_date", "date_from")


class Recorder(BaseHTTPRequestHandler):
    """Accepts everything; a DELETE has a body in the response, where the documented one has it."""

    requests: ClassVar[list[tuple[str, str, object]]] = []

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert self.headers["X-API-Key"] == KEY
        assert not text or self.headers["Content-Type"] == "application/json"
        self.requests.append((self.command, self.path, json.loads(text) if text else None))
        body = b'{"success": true, "data": {}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PATCH = do_DELETE = do_POST

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def sent():
    """Language → the requests of all its samples, in order."""
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        today = timezone.now().date()
        shown = [samples(operation, base, today) for operation in WRITES.values()]
        found = {}
        for language, run in (("curl", _shell), ("Python", _python), ("TypeScript", _node)):
            Recorder.requests.clear()
            run([sample[language] for sample in shown])
            found[language] = list(Recorder.requests)
        server.shutdown()
    return found


def _finish(command: list[str], text: str) -> None:
    environment = {**os.environ, "KAIVOX_API_KEY": KEY, "NO_PROXY": "*"}
    done = subprocess.run(
        command, input=text, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def _shell(programs: list[str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    _finish(["sh", "-e"], "\n".join(programs))


def _python(programs: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAIVOX_API_KEY", KEY)
        patch.setenv("NO_PROXY", "*")
        for program in programs:
            exec(program, {})  # noqa: S102 - our own text


def _node(programs: list[str]) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js here")
    _finish(["node", "--input-type=module"], "\n".join(f"{{\n{one}\n}}" for one in programs))


@pytest.fixture
def rows(business, client):
    """Collection → the id of a row that the samples can change; the ids in their bodies."""
    service = factories.make_service(business)
    staff = factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    customer = factories.make_customer(business)
    start = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=5)
    appointment = factories.make_appointment(
        business, service=service, staff=staff, customer=customer, start_time=start
    )
    held = {"service_id": service.pk, "start_time": (start + timedelta(days=1)).isoformat()}
    factories.make_endpoint(business)
    factories.make_event(business)
    delivery = Delivery.objects.get()
    return {
        "appointments": appointment.pk,
        "holds": client.post("/api/v1/appointments/holds", held).json()["data"]["id"],
        "customers": customer.pk,
        "customer_id": customer.pk,
        "services": service.pk,
        "service_id": service.pk,
        "staff": staff.pk,
        "staff_id": staff.pk,
        "webhooks": delivery.endpoint_id,
        "deliveries": delivery.pk,
        "since": (timezone.now() - timedelta(days=1)).isoformat(),
        **dict.fromkeys(_DATES, (start.date() + timedelta(days=3)).isoformat()),
    }


def of_test(part: object, rows: dict[str, object]) -> object:
    """A body with the ids and days of the test's rows."""
    if isinstance(part, list):
        return [of_test(inner, rows) for inner in part]
    if isinstance(part, dict):
        return {
            key: of_test(value, rows) if isinstance(value, list | dict) else rows.get(key, value)
            for key, value in part.items()
        }
    return part


def test_every_language_sends_the_same(sent):
    assert sent["curl"] == sent["Python"] == sent["TypeScript"]
    assert len(sent["curl"]) == len(WRITES) > 20


@pytest.mark.parametrize("name", WRITES)
def test_is_accepted(sent, client, rows, name):
    requests = dict(zip(WRITES, sent["curl"], strict=True))

    def send(method: str, path: str, body: dict[str, object] | None):
        text = json.dumps(of_test(body, rows)) if body else ""
        return client.generic(method, path, text, "application/json")

    method, path, body = requests[name]
    if "/1" in path:
        above = path.partition("/1")[0]
        collection = above.rpartition("/")[2]
        if collection not in rows:  # the sample that adds a row adds the one to change
            (adds,) = (one for one in requests.values() if one[:2] == ("POST", above))
            rows[collection] = send(*adds).json()["data"]["id"]
        path = path.replace("/1", f"/{rows[collection]}", 1)
    response = send(method, path, body)
    assert 200 <= response.status_code < 300, response.content
    assert WRITES[name].has_data == bool(response.content)
