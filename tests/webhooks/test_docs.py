"""The receivers of docs/webhooks.md, run as a reader would, against real deliveries."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests import npm
from tests.factories import make_endpoint, make_event
from webhooks import signing
from webhooks.event_types import EVENT_SCOPES, EVENT_TYPES
from webhooks.models import Attempt, AttemptOutcome

pytestmark = [pytest.mark.django_db, pytest.mark.once]

FOLDER = Path(__file__).parents[2] / "docs"
DOCS = (FOLDER / "webhooks.md").read_text()


def snippet(name: str) -> str:
    return re.search(rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```", DOCS, re.DOTALL)[1]


@contextmanager
def running(command: list[str], secret: str):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "KAIVOX_WEBHOOK_SECRET": secret, "PORT": str(port)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/kaivox", process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def on_loopback(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.mark.parametrize(
    ("name", "interpreter"), (("receiver.py", sys.executable), ("receiver.mjs", "node"))
)
class TestReceivers:
    def test_accept_only_valid_signatures(self, name, interpreter, tmp_path, business, deliver):
        if shutil.which(interpreter) is None:
            pytest.skip(f"{interpreter} is not installed")
        file = tmp_path / name
        file.write_text(snippet(name))
        secret = signing.new_secret()
        with running([interpreter, str(file)], secret) as (url, process):
            make_endpoint(business, url=url, secret=secret)
            make_endpoint(business, url=url)  # with another secret than the receiver's
            make_event(business)
            deliver()
            assert process.stdout.readline() == "customer.created 391\n"
        statuses = Attempt.objects.order_by("endpoint").values_list("http_status", flat=True)
        assert list(statuses) == [204, 400]


class TestOpenssl:
    @pytest.mark.parametrize("known", (True, False))
    def test_verifies_by_hand(self, tmp_path, business, receiver, deliver, known):
        endpoint = make_endpoint(business, url=receiver.url)
        make_event(business)
        deliver()
        (request,) = receiver.requests
        (tmp_path / "body.json").write_bytes(request.body)
        done = subprocess.run(
            ["sh", "-c", snippet("verify.sh")],
            cwd=tmp_path,
            env={
                **os.environ,
                "header": request.headers["X-KaiVox-Signature"],
                "KAIVOX_WEBHOOK_SECRET": endpoint.secret if known else signing.new_secret(),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ("verified\n" if known else "")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not there")
@pytest.mark.timeout(300)
class TestNpm:
    PROGRAM = """
const { Webhook } = require("standardwebhooks");
const [secret, body, headers] = JSON.parse(require("fs").readFileSync(0));
console.log(new Webhook(secret).verify(body, headers).type);
"""

    @pytest.mark.parametrize("known", (True, False))
    def test_standardwebhooks_verifies_a_delivery(self, business, receiver, deliver, known):
        endpoint = make_endpoint(business, url=receiver.url)
        make_event(business)
        deliver()
        (request,) = receiver.requests
        secret = endpoint.secret if known else signing.new_secret()
        done = subprocess.run(
            ["node", "-e", self.PROGRAM],
            input=json.dumps([secret, request.body.decode(), dict(request.headers)]),
            env={**os.environ, "NODE_PATH": str(npm.node_modules())},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ("customer.created\n" if known else ""), done.stderr


class TestFeed:
    @pytest.mark.django_db(transaction=True)
    def test_is_read_event_by_event(self, business, api_key, live_server):
        recorded = [make_event(business).uid for _ in range(3)]
        program: dict[str, Any] = {}
        exec(snippet("events.py"), program)  # noqa: S102 - our own documentation
        first, *rest = islice(program["events"](live_server.url, api_key), 3)
        assert [event["id"] for event, _ in (first, *rest)] == recorded
        recorded.append(make_event(business).uid)
        event, _ = next(program["events"](live_server.url, api_key, rest[-1][1]))
        assert event["id"] == recorded[-1]


class TestWords:
    def test_name_every_event_type(self):
        assert [name for name in EVENT_TYPES if f"`{name}`" not in DOCS] == []

    @pytest.mark.parametrize("page", ("webhooks.md", "zapier.md"))
    def test_name_the_read_scope_of_every_event_type(self, page):
        text = (FOLDER / page).read_text()
        triggers = re.search(r"^\| triggers .*$", text, re.M)
        text = triggers[0] if triggers else text
        assert [scope for scope in EVENT_SCOPES if f"`{scope}`" not in text] == []

    def test_name_every_error_class(self):
        silent = {AttemptOutcome.IN_FLIGHT, AttemptOutcome.SUCCEEDED, AttemptOutcome.HTTP_ERROR}
        assert [o for o in AttemptOutcome if o not in silent and f"`{o}`" not in DOCS] == []
