"""Every program of the docs, run as it stands against a server of ours."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from appointments.models import Appointment
from kaivox.pages.articles import code_blocks
from tests import factories

SECRET = "whsec_" + "A" * 43 + "="

pytestmark = pytest.mark.django_db(transaction=True)


def programs(slug: str) -> list[str]:
    blocks = [block for block in code_blocks(slug) if block.startswith("```python")]
    return ["\n".join(block.splitlines()[1:-1]) for block in blocks]


@pytest.fixture
def shop(business):
    """A service that can be booked round the clock, and a customer."""
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    factories.make_customer(business, name="Asha Rao")
    return service


@pytest.fixture
def environment(live_server, api_key, tmp_path):
    return {
        **os.environ,
        "KAIVOX_URL": live_server.url,
        "KAIVOX_API_KEY": api_key,
        "KAIVOX_WEBHOOK_SECRET": SECRET,
    }


@pytest.fixture
def run(environment, tmp_path):
    """Runs a program to its end and returns what it printed."""

    def finish(program: str, *arguments: str, text: str = "") -> str:
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(
            command, input=text, env=environment, cwd=tmp_path, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return finish


@pytest.fixture
def serve(environment, tmp_path):
    """Runs a program that listens: yields its address and a way to read its next line."""

    @contextmanager
    def listening(program: str):
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", program], env={**environment, "PORT": str(port)}, cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}/", process.stdout.readline
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    return listening


def _wait_for(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the program does not listen")


def deliver(url: str, kind: str, data: dict, *, secret: str = SECRET) -> int:
    """Sends an event as KaiVox does, both signatures on it; the status of the answer."""
    event = {"id": "evt_1", "type": kind, "created_at": "2026-11-25T01:00:00Z", "data": data}
    body = json.dumps(event).encode()
    now = timezone.now()
    stamp = str(int(now.timestamp()))
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-KaiVox-Signature": f"t={stamp},v1={mac}",
        "webhook-id": "evt_1",
        "webhook-timestamp": stamp,
        "webhook-signature": Webhook(secret).sign("evt_1", now, body.decode()),
    }
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code


class TestQuickstart:
    def test_books_and_verifies(self, run, serve, shop):
        receiver, book = programs("quickstart")
        printed = run(book)
        assert re.match(r"booked: Cleaning with Staff \d+ at 20", printed)
        with serve(receiver) as (url, line):
            booked = {"start_time": "2027-02-01T04:00:00Z"}
            assert deliver(url, "appointment.booked", booked) == 204
            assert line() == "verified: appointment.booked 2027-02-01T04:00:00Z\n"
            assert (
                deliver(url, "appointment.booked", booked, secret="whsec_" + "B" * 43 + "=") == 400
            )


class TestEmr:
    def test_writes_each_change_once(self, run, business, tmp_path):
        (program,) = programs("recipes/emr")
        made = [factories.make_appointment(business) for _ in range(3)]
        assert run(program).startswith("3 visits written")
        made[1].status = "cancelled"
        made[1].save()
        run(program)
        with closing(sqlite3.connect(tmp_path / "emr.sqlite3")) as emr:
            rows = emr.execute("SELECT id, status FROM visits ORDER BY id").fetchall()
        assert rows == [(row.pk, row.status) for row in made]


class TestBookingSoftware:
    def test_books_once_and_offers_other_times(self, run, business, shop):
        (program,) = programs("recipes/booking-software")
        start = (timezone.now() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
        booking = {
            "number": "B-1",
            "name": "Asha Rao",
            "phone": "+91 98765 43210",
            "service_id": shop.pk,
            "start_time": start.isoformat(),
        }
        other = {**booking, "number": "B-2", "name": "Ravi", "phone": "+91 98765 43211"}
        lines = run(
            program, text="\n".join(map(json.dumps, (booking, booking, other)))
        ).splitlines()
        assert lines[0].startswith("B-1 booked as")
        assert lines[1] == lines[0]
        assert re.match(r"B-2 taken; free that day: \d\d:\d\d, ", lines[2])


class TestNotifications:
    def test_tells_each_event_once(self, serve):
        (program,) = programs("recipes/notifications")
        missed = {"from_number": "+919876543210", "customer_name": None}
        with serve(program) as (url, line):
            assert deliver(url, "call.missed", missed, secret="whsec_" + "B" * 43 + "=") == 400
            assert deliver(url, "call.missed", missed) == 204
            assert deliver(url, "call.missed", missed) == 204
            assert line() == "Missed call from +919876543210 (someone new). Ring back?\n"


class TestBi:
    def test_writes_both_tables_whole(self, run, business, tmp_path):
        (program,) = programs("recipes/bi")
        for _ in range(105):
            factories.make_call(business, sentiment="positive", sentiment_score=0.5)
        factories.make_appointment(business)
        run(program)
        with open(tmp_path / "calls.csv", encoding="utf-8") as file:
            calls = list(csv.DictReader(file))
        assert len({row["id"] for row in calls}) == len(calls) == 105
        assert calls[0]["sentiment"] == "positive"
        assert (tmp_path / "appointments.csv").read_text().count("\n") == 2


class TestAiWorkflows:
    def test_moves_a_lead_once(self, serve, business):
        (program,) = programs("recipes/ai-workflows")
        customer = factories.make_customer(business, name="Asha Rao")
        call = {
            "id": 7,
            "customer_id": customer.pk,
            "appointment_id": None,
            "transcript": [{"speaker": "caller", "text": "How much is a cleaning?"}],
        }
        with serve(program) as (url, line):
            assert deliver(url, "call.completed", call) == 204
            assert "Asha Rao is contacted" in line()
            assert deliver(url, "call.completed", call) == 204
            assert line() == "call 7: done before\n"
        customer.refresh_from_db()
        assert customer.pipeline_stage == "contacted"
        assert customer.metadata["next_step"].startswith("asked for prices")


class TestFrontEnd:
    def test_shows_free_times_and_books_one(self, serve, business, shop, api_key):
        (program,) = programs("recipes/front-end")
        with serve(program) as (url, _):
            page = urllib.request.urlopen(url, timeout=10).read().decode()
            assert api_key not in page
            time_ = re.search(r'option value="([^"]+)"', page)[1]
            number = re.search(r'name="number" value="([^"]+)"', page)[1]
            form = {
                "number": number,
                "service_id": shop.pk,
                "start_time": time_,
                "name": "Ravi Iyer",
                "phone": "+91 98765 43212",
            }
            body = urllib.parse.urlencode(form).encode()
            pages = [
                urllib.request.urlopen(url, body, timeout=10).read().decode() for _ in range(2)
            ]
        assert "<h1>Booked</h1>" in pages[0]
        assert pages[1] == pages[0]
        booked = Appointment.objects.get(business=business)
        assert datetime.fromisoformat(time_) == booked.start_time
