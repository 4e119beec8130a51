"""The Postman collection with newman, twice in a row, and with Bruno's import, run from top to bottom
against `make up`: every request is sent and succeeds, and nothing is touched that it did not make."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from kaivox.demo.catalogue import PEAK_GYMS
from kaivox.pages.openapi_document import document
from kaivox.pages.postman import collection_of
from tests.compat.environments import DOCUMENT_TOOLS, document_tool, node_modules_of, require
from tests.stack import running_stack
from tests.webhooks.receivers import running_receiver

IMPORT_INTO_BRUNO = Path(__file__).parent / "clients" / "postman_to_bruno.js"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ENABLE_VOICE = f"""
from kaivox.businesses.models import Business
from calls.models import ProviderAccount
for business in Business.objects.filter(sandbox_of=None):
    ProviderAccount.objects.create(business=business, provider="kaivox", secret="{SECRET}")
"""
LISTS = (
    "appointments",
    "appointments/holds",
    "calls",
    "customers",
    "services",
    "staff",
    "webhooks",
)

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    require(DOCUMENT_TOOLS)
    with running_stack(tmp_path_factory.mktemp("up")) as running:
        running.manage("shell", "--no-imports", "-c", ENABLE_VOICE)
        yield running


@pytest.fixture
def variables(stack):
    """Values of the collection's variables but the key."""
    with running_receiver() as receiver:
        yield {
            "baseUrl": stack.url,
            "engineSecret": SECRET,
            "webhookUrl": f"http://127.0.0.1:{receiver.server_port}/",
        }


@pytest.fixture
def key(stack):
    """The key that `make up` made for the business with the largest quota."""
    keys = json.loads(Path(stack.environment["KAIVOX_VAR"], "up-keys.json").read_text())
    return keys[PEAK_GYMS.slug]


def rows(stack, key):
    """When each row of each list was last changed, by list and id."""
    found = {}
    for name in LISTS:
        more = "&is_active=all" if name in ("services", "staff") else ""
        url = f"{stack.url}/api/v1/{name}?format=ndjson{more}"
        request = urllib.request.Request(url, headers={"X-API-Key": key})
        with urllib.request.urlopen(request, timeout=60) as response:
            for line in response:
                row = json.loads(line)
                found[name, row["id"]] = row.get("updated_at")
    return found


def names_of_operations():
    operations = [one for item in document()["paths"].values() for one in item.values()]
    return {one.get("summary") or one["operationId"] for one in operations}


def check_that_the_rest_is_unchanged(before, after):
    assert {row: after[row] for row in before if row in after} == before
    new = {name for name, _ in after.keys() - before.keys()}
    # Appointments stay, cancelled; services and staff cannot be deleted. The webhook, the hold and the closure
    # are gone. A run after another one reports the same call.
    assert new - {"calls"} == {"appointments", "customers", "services", "staff"}


def test_newman(stack, key, variables, tmp_path):
    before = rows(stack, key)
    collection, report = tmp_path / "collection.json", tmp_path / "report.json"
    collection.write_text(json.dumps(collection_of(document())))
    values = {**variables, "apiKey": key}
    options = [word for pair in values.items() for word in ("--env-var", "=".join(pair))]
    done = subprocess.run(
        [
            document_tool("newman"), "run", collection, *options,
            "--iteration-count", "2", "--reporters", "json", "--reporter-json-export", report,
        ],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout + done.stderr
    run = json.loads(report.read_text())["run"]
    failed = [
        (one["source"]["name"], one["error"]["message"], response_of(run, one["source"]["name"]))
        for one in run["failures"]
    ]
    assert failed == []
    sent = [one for one in run["executions"] if "response" in one]
    assert {one["item"]["name"] for one in sent} == names_of_operations()
    assert all(one["assertions"] for one in sent)
    check_that_the_rest_is_unchanged(before, rows(stack, key))


def response_of(run, name):
    """The body of the response that failed, for the message of the assertion."""
    for one in run["executions"]:
        if one["item"]["name"] == name and "response" in one:
            return bytes(one["response"]["stream"]["data"])[:300]
    return b"not sent"


def test_bruno(stack, key, variables, tmp_path):
    before = rows(stack, key)
    source, folder, report = tmp_path / "source.json", tmp_path / "bruno", tmp_path / "report.json"
    source.write_text(json.dumps(collection_of(document())))
    folder.mkdir()
    environment = {**os.environ, "NODE_PATH": str(node_modules_of(DOCUMENT_TOOLS))}
    imported = subprocess.run(
        ["node", IMPORT_INTO_BRUNO, source, folder],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert imported.returncode == 0, imported.stderr
    values = {**variables, "apiKey": key}
    options = [word for pair in values.items() for word in ("--env-var", "=".join(pair))]
    done = subprocess.run(
        [document_tool("bru"), "run", "-r", *options, "--reporter-json", report],
        cwd=folder, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert report.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    [run] = json.loads(report.read_text())
    failed = [
        (one["name"], one["status"], one["error"], one["response"].get("data"))
        for one in run["results"]
        if one["status"] != "pass"
        or {test["status"] for test in one["postResponseTestResults"]} != {"pass"}
    ]
    assert failed == []
    assert {one["name"] for one in run["results"]} == names_of_operations()
    check_that_the_rest_is_unchanged(before, rows(stack, key))
