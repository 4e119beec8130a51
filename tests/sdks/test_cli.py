"""The command `kaivox` against a running server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import pytest
import requests
from django.utils import timezone
from standardwebhooks import Webhook

from appointments.models import Appointment
from services.models import Service
from tests import factories
from tests.sdks import python_sdk
from webhooks.models import Delivery, Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

# What the promise says; a machine that is busy with other tests has three chances.
SHOWN_WITHIN_SECONDS = 1.0
DOCS = python_sdk.FOLDER.parent.parent / "docs" / "cli.md"
PRINT_OPTIONS = """
import json, typer
from kaivox.cli.app import app
commands = typer.main.get_command(app).commands
print(json.dumps({name: [o for p in c.params for o in p.opts] for name, c in commands.items()}))
"""
CHANCES = 3


@pytest.fixture
def sandbox(db):
    """A sandbox business with a service that can be booked round the clock."""
    sandbox = factories.make_business(slug="sandbox", livemode=False)
    service = factories.make_service(sandbox, name="Cleaning")
    factories.make_staff(sandbox, services=[service], hours=("00:00-24:00",))
    return sandbox


@pytest.fixture
def variables(live_server, sandbox, tmp_path):
    return {
        "KAIVOX_URL": live_server.url,
        "KAIVOX_API_KEY": factories.make_key(sandbox),
        "KAIVOX_CONFIG": str(tmp_path / "config.json"),
    }


@pytest.fixture
def run(variables):
    """What a command prints; it has to succeed."""

    def run(*words):
        done = python_sdk.run("-m", "kaivox.cli", *words, **variables)
        assert done.returncode == 0, done.stderr[-3000:]
        assert variables["KAIVOX_API_KEY"] not in done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@contextmanager
def receiver():
    """The URL of a server that responds 200, and the requests that it got with their times."""
    received: Queue = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((time.monotonic(), dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", received
        server.shutdown()


@contextmanager
def listening(variables, *words):
    """A running `kaivox listen`; the lines of its stderr."""
    command = [sys.executable, "-m", "kaivox.cli", "listen", *words]
    process = subprocess.Popen(
        command,
        cwd=python_sdk.FOLDER,
        env=python_sdk.environment(**variables, NO_COLOR="", FORCE_COLOR="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def lines_until(stream, text):
    lines = []
    while not lines or text not in lines[-1]:
        line = stream.readline()
        assert line, f"ended before {text!r}: {lines}"
        lines.append(line)
    return lines


def post(variables, path, **body):
    """The `data` of the response to a POST."""
    response = requests.post(
        f"{variables['KAIVOX_URL']}/api/v1{path}",
        json=body,
        headers={"X-API-Key": variables["KAIVOX_API_KEY"]},
        timeout=30,
    )
    assert response.ok, response.text
    return response.json()["data"]


class TestDocs:
    def test_name_only_commands_and_options_that_exist(self):
        done = python_sdk.run("-c", PRINT_OPTIONS)
        known = json.loads(done.stdout)
        used = re.findall(r"^kaivox (\w+)(.*)$|`kaivox (\w+)([^`]*)`", DOCS.read_text(), re.M)
        commands = {(one or other): options + more for one, options, other, more in used}
        assert commands.keys() == known.keys()
        for one, options, other, more in used:
            for option in re.findall(r"--[a-z-]+", options + more):
                assert option in known[one or other]


class TestListen:
    def test_forwards_a_booking_within_a_second(self, variables, sandbox):
        service, customer = Service.objects.get(), factories.make_customer(sandbox)
        noon = (timezone.now() + timedelta(days=2)).replace(
            hour=12, minute=0, second=0, microsecond=0
        )
        delays = []
        with (
            receiver() as (url, received),
            listening(variables, "--forward-to", url, "--json") as process,
        ):
            secret = re.search(r"whsec_[\w+/=]+", lines_until(process.stderr, "Listening")[0])[0]
            for hours in range(CHANCES):
                start = (noon + timedelta(hours=hours)).isoformat()
                booked = post(
                    variables,
                    "/appointments",
                    customer_id=customer.pk,
                    service_id=service.pk,
                    start_time=start,
                )
                booked_at = time.monotonic()
                received_at, headers, body = received.get(timeout=60)
                delays.append(received_at - booked_at)
                assert json.loads(body)["data"] == booked
                assert Webhook(secret).verify(body, headers)
                assert body == bytes(Event.objects.get(uid=headers["webhook-id"]).body)
                assert json.loads(process.stdout.readline()) == json.loads(body)
                assert "\x1b[32m  200 " in process.stderr.readline()
        assert min(delays) <= SHOWN_WITHIN_SECONDS, delays


class TestTrigger:
    def test_causes_events_in_a_sandbox(self, run, sandbox):
        started = factories.make_appointment(
            service=Service.objects.get(), start_time=timezone.now() - timedelta(hours=1)
        )
        types = (
            "appointment.completed",
            "appointment.booked",
            "appointment.rescheduled",
            "appointment.cancelled",
            "customer.created",
            "customer.updated",
        )
        for event_type in types:
            assert run("trigger", event_type)
        assert set(types) <= set(Event.objects.values_list("type", flat=True))
        started.refresh_from_db()
        assert started.status == "completed"

    def test_sends_an_example_to_a_local_server(self, run, variables):
        with receiver() as (url, received):
            assert "200" in run("trigger", "call.completed", "--forward-to", url)
            _, headers, body = received.get(timeout=60)
        secret = json.loads(Path(variables["KAIVOX_CONFIG"]).read_text())["listen_secret"]
        assert Webhook(secret).verify(body, headers)["data"]["transcript"]
        assert headers["X-KaiVox-Test"] == "1"

    def test_lets_an_endpoint_receive_an_example(self, run, sandbox):
        endpoint = factories.make_endpoint(sandbox)
        assert "pending" in run("trigger", "call.missed", "--webhook", str(endpoint.pk))
        assert Delivery.objects.get().event.is_test


class TestCommands:
    def test_find_a_time_and_book_it(self, run, variables, sandbox):
        service = Service.objects.get()
        day = (timezone.now() + timedelta(days=3)).date().isoformat()
        assert str(service.pk) in run("services")
        [slot] = json.loads(run("slots", str(service.pk), "--date", day, "--limit", "1", "--json"))
        shown = run(
            "book", "--service", str(service.pk), "--at", f"{slot['date']} {slot['time']}",
            "--name", "Asha Rao", "--phone", "098765 43210",
        )  # fmt: skip
        assert "Asha Rao" in shown
        assert Appointment.objects.get().source == "cli"
        assert "+919876543210" in run("customers", "--search", "asha")
        assert "appointment.booked" in run("events", "--type", "appointment.booked")
        assert run("calls") == "None found.\n"

    def test_errors_are_one_sentence(self, variables):
        done = python_sdk.run("-m", "kaivox.cli", "customers", "999", **variables)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: 404 not_found: ")
        assert "Traceback" not in done.stderr
