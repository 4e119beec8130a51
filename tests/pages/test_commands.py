"""The shell commands of the docs, read from the rendered pages and run as printed against a live server."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client
from django.utils.html import strip_tags

from appointments.models import Appointment
from calls.models import Call, ProviderAccount
from kaivox.pages.docs.articles import find_article
from tests import factories
from webhooks.models import Endpoint

SECRET = "a-long-random-secret"
_PRE = re.compile(r"<pre[^>]*>(.*?)</pre>", re.S)
_SAMPLES = re.compile(r"<h4>(\w+)</h4><pre><code>(.*?)</code></pre>", re.S)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.once,
    pytest.mark.skipif(
        not (shutil.which("jq") and shutil.which("curl")), reason="The commands need curl and jq."
    ),
]


@pytest.fixture
def shop(live_server):
    business = factories.make_business(slug="smile-dental")
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    factories.make_customer(business, name="Asha Rao")
    return business


@pytest.fixture
def run(live_server, shop, tmp_path):
    """Runs a block in a shell with the variables of the quickstart, and returns its output."""
    environment = {
        **os.environ,
        "KAIVOX_URL": live_server.url,
        "KAIVOX_API_KEY": factories.make_key(shop),
        "KAIVOX_TEST_API_KEY": factories.make_key(shop),
        "SECRET": SECRET,
        "NO_PROXY": "*",
    }

    def finish(block: str, shell: str = "sh") -> str:
        command = block.replace(settings.PUBLIC_URL, live_server.url)
        done = subprocess.run(
            [shell, "-ec", command], env=environment, cwd=tmp_path, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return finish


def shown(path: str, start: str) -> str:
    """The block of a page that has `start`, as a reader copies it."""
    blocks = [html.unescape(strip_tags(raw)) for raw in _PRE.findall(page(path))]
    (block,) = (block for block in blocks if start in block)
    return block


def page(path: str) -> str:
    return Client().get(path).content.decode()


def last_json(output: str) -> dict:
    return all_json(output)[-1]


def all_json(output: str) -> list[dict]:
    """The JSON documents that a block printed one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(output.rstrip()):
        document, at = decoder.raw_decode(output, at)
        found.append(document)
        at += len(output[at:]) - len(output[at:].lstrip())
    return found


def test_the_key_is_checked(run, shop):
    for path, start in (
        ("/", "business -H"),
        ("/docs/authentication", 'business" -H'),
        ("/docs/sandbox", 'business" -H'),
    ):
        block = shown(path, start)
        assert json.loads(run(block))["data"]["slug"] == "smile-dental"


def test_a_webhook_is_added_and_events_are_read(run):
    added = json.loads(run(shown("/docs/webhooks", "curl -X POST")))
    assert Endpoint.objects.get().pk == added["data"]["id"]
    assert json.loads(run(shown("/docs/webhooks", "/api/v1/events?cursor=")))["success"]


def test_the_commands_of_scheduling_succeed_from_top_to_bottom(run):
    blocks = re.findall(r"```bash\n(.*?)```", find_article("scheduling").text, re.S)
    assert len(blocks) > 8
    responses = all_json(run("\n".join(blocks), "bash"))
    assert len(responses) > 10
    assert [body for body in responses if not body["success"]] == []
    assert Appointment.objects.get().confirmation == "confirmed"


def test_a_series_is_previewed_and_booked(run):
    booked = last_json(run(shown("/docs/series", "series/preview"), "bash"))["data"]
    assert len(booked["appointments"]) == Appointment.objects.count() == 6


def test_a_visit_is_found_booked_moved_and_cancelled(run):
    cancelled = last_json(run(shown("/docs/visits", "visits/slots"), "bash"))["data"]
    assert [one["status"] for one in cancelled["appointments"]] == ["cancelled"] * 2


def test_a_call_of_an_own_engine_is_stored(run, shop):
    ProviderAccount.objects.create(business=shop, provider="kaivox", secret=SECRET)
    stored = json.loads(run(shown("/docs/voice", "/voice/kaivox/")))
    assert Call.objects.get().pk == stored["data"]["call_id"]


@pytest.mark.parametrize("resource", ("services", "customers"))
def test_samples_of_a_list_run_in_each_language(run, shop, resource):
    text = page(f"/docs/reference/{resource}").partition(f'id="list_{resource}"')[2]
    samples = {name: html.unescape(code) for name, code in _SAMPLES.findall(text)[:3]}
    assert samples.keys() == {"curl", "Python", "TypeScript"}
    assert json.loads(run(samples["curl"]))["success"]
    # `python` of a reader's own environment; here that of the tests.
    programs = [f"{sys.executable} - <<'END'\n{samples['Python']}\nEND"]
    if shutil.which("node"):
        programs.append(f"node --input-type=module - <<'END'\n{samples['TypeScript']}\nEND")
    name = {"services": "Cleaning", "customers": "Asha Rao"}[resource]
    assert all(name in run(program) for program in programs)
