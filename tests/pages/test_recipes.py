"""The programs of the quickstart and the recipes, run as printed against a live server."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import re
import shutil
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
from kaivox.pages.docs.articles import code_blocks, find_article
from tests import factories
from tests.sdks import python_sdk, typescript_sdk

SECRET = "whsec_" + "A" * 43 + "="

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


RECIPES = ("ai-workflows", "bi", "booking-software", "emr", "front-end", "notifications")


def programs(slug: str, language: str = "python") -> list[str]:
    blocks = [block for block in code_blocks(slug) if block.startswith(f"```{language}\n")]
    return ["\n".join(block.splitlines()[1:-1]) for block in blocks]


def python(program: str) -> list[str]:
    """The command that runs a program."""
    return [sys.executable, "-c", program]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The folder with the TypeScript programs, checked and compiled. Skips where there is no node."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is missing: the recipes in TypeScript do not run")
    package = typescript_sdk.compile_into(tmp_path_factory.mktemp("recipes"))
    names = [f"{slug}.mts" for slug in RECIPES]
    for slug, name in zip(RECIPES, names, strict=True):
        (program,) = programs(f"recipes/{slug}", "ts")
        (package / name).write_text(program, encoding="utf-8")
    options = ["--strict", "--erasableSyntaxOnly", "--verbatimModuleSyntax", "--skipLibCheck"]
    options += ["--target", "ES2022", "--module", "NodeNext", "--lib", "ES2022", "--types", "node"]
    typescript_sdk.run(package, package / "node_modules" / ".bin" / "tsc", *options, *names)
    return package


@pytest.fixture
def shop(business):
    """A service that can be booked round the clock, and a customer."""
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    factories.make_customer(business, name="Asha Rao")
    return service


def scopes_of(slug: str) -> list[str]:
    """The scopes that docs/recipes.md names for a recipe."""
    row = re.search(rf"^\|.*\]\({slug}\.md\).*\| ([^|]*) \|$", find_article("recipes").text, re.M)
    assert row, slug
    return re.findall(r"`([a-z]+:[a-z]+)`", row[1])


@pytest.fixture
def environment(live_server, api_key):
    return {
        **python_sdk.environment(),
        "KAIVOX_URL": live_server.url,
        "KAIVOX_API_KEY": api_key,
        "KAIVOX_WEBHOOK_SECRET": SECRET,
    }


@pytest.fixture(params=("python", "ts"))
def language(request):
    if request.param == "ts":
        request.getfixturevalue("compiled")
    return request.param


@pytest.fixture
def recipe(business, environment, language, request):
    """The command that runs a recipe; its key has the documented scopes and no others."""

    def command_of(slug: str) -> list[str]:
        scopes = scopes_of(slug)
        page = find_article(slug).text
        assert all(f"`{scope}`" in page for scope in scopes), f"{slug} names other scopes"
        environment["KAIVOX_API_KEY"] = factories.make_key(business, scopes=scopes)
        if language == "ts":
            folder = request.getfixturevalue("compiled")
            return ["node", str(folder / f"{slug.removeprefix('recipes/')}.mjs")]
        (program,) = programs(slug)
        return python(program)

    return command_of


@pytest.fixture
def run(environment, tmp_path):
    """Runs a program to its end and returns its output."""

    def finish(command: list[str], *arguments: str, text: str = "") -> str:
        finished = subprocess.run(
            [*command, *arguments], input=text, env=environment, cwd=tmp_path, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return finish


@pytest.fixture
def serve(environment, tmp_path):
    """Runs a program that listens: yields its URL and a function that reads its next line."""

    @contextmanager
    def listening(command: list[str]):
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            command, env={**environment, "PORT": str(port)}, cwd=tmp_path,
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
    """Sends an event as KaiVox does, with both signatures. Returns the status of the response."""
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
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


class TestQuickstart:
    def test_has_six_commands_at_most(self):
        blocks = [block for block in code_blocks("quickstart") if block.startswith("```sh")]
        commands = "\n".join(block[len("```sh\n") : -len("```")] for block in blocks)
        assert len([line for line in commands.replace("\\\n", " ").splitlines() if line]) <= 6

    def test_books_and_verifies(self, run, serve, shop):
        receiver, book = programs("quickstart")
        printed = run(python(book))
        assert re.match(r"booked: Cleaning with Staff \d+ at 20", printed)
        with serve(python(receiver)) as (url, line):
            booked = {"start_time": "2027-02-01T04:00:00Z"}
            assert deliver(url, "appointment.booked", booked) == 204
            assert line() == "verified: appointment.booked 2027-02-01T04:00:00Z\n"
            assert (
                deliver(url, "appointment.booked", booked, secret="whsec_" + "B" * 43 + "=") == 400
            )


class TestSandbox:
    def test_books_in_the_sandbox_alone(self, run, environment, business, shop):
        sandbox = factories.make_business(slug="a-sandbox", livemode=False, sandbox_of=business)
        service = factories.make_service(sandbox)
        factories.make_staff(sandbox, services=[service], hours=("00:00-24:00",))
        environment["KAIVOX_TEST_API_KEY"] = factories.make_key(sandbox)
        (program,) = programs("sandbox")
        booked, refused, cancelled = run(python(program)).splitlines()
        assert booked.startswith("booked: ")
        assert refused == "refused: slot_unavailable with 3 alternatives"
        assert cancelled == "cancelled: cancelled"
        assert Appointment.objects.get().business == sandbox


class TestEmr:
    def test_writes_each_change_once(self, recipe, run, business, tmp_path, language):
        program = recipe("recipes/emr")
        made = [factories.make_appointment(business) for _ in range(3)]
        assert run(program).startswith("3 visits written")
        made[1].status = "cancelled"
        made[1].save()
        run(program)
        assert self.visits(tmp_path, language) == {row.pk: row.status for row in made}

    def visits(self, folder, language):
        if language == "ts":
            stored = json.loads((folder / "emr.json").read_text())["visits"]
            return {int(id): visit["status"] for id, visit in stored.items()}
        with closing(sqlite3.connect(folder / "emr.sqlite3")) as emr:
            return dict(emr.execute("SELECT id, status FROM visits"))


class TestBookingSoftware:
    def test_books_once_and_offers_other_times(self, recipe, run, business, shop):
        program = recipe("recipes/booking-software")
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
        assert re.match(r"B-2 not available; free that day: \d\d:\d\d, ", lines[2])


class TestNotifications:
    def test_reports_each_event_once(self, recipe, serve):
        program = recipe("recipes/notifications")
        missed = {"from_number": "+919876543210", "customer_name": None}
        with serve(program) as (url, line):
            assert deliver(url, "call.missed", missed, secret="whsec_" + "B" * 43 + "=") == 400
            assert deliver(url, "call.missed", missed) == 204
            assert deliver(url, "call.missed", missed) == 204
            assert line() == "Missed call from +919876543210 (a new caller). Call back?\n"


class TestBi:
    def test_writes_every_row_of_both_files(self, recipe, run, business, tmp_path):
        program = recipe("recipes/bi")
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
    def test_updates_a_lead_once(self, recipe, serve, business):
        program = recipe("recipes/ai-workflows")
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
            assert line() == "call 7: already processed\n"
        customer.refresh_from_db()
        assert customer.pipeline_stage == "contacted"
        assert customer.metadata["next_step"].startswith("asked for prices")


class TestFrontEnd:
    def test_shows_free_times_and_books_one(self, recipe, serve, business, shop):
        program = recipe("recipes/front-end")
        with serve(program) as (url, _):
            page = urllib.request.urlopen(url, timeout=10).read().decode()
            assert "kv_live_" not in page
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
