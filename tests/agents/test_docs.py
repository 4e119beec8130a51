"""The commands of docs/agents.md, run as printed: with the provider's address led to a receiver here,
and the tools that it was sent then called as it calls them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from calls.models import ProviderAccount
from kaivox.agents.tools import TOOLS
from kaivox.pages.docs.articles import code_blocks
from tests import factories
from tests.calls.providers import signature
from webhooks.signing import new_secret

SECRET = "a-long-random-secret"
CREATED = {
    "vapi": "https://api.vapi.ai",
    "retell": "https://api.retellai.com",
    "elevenlabs": "https://api.elevenlabs.io",
    "bland": "https://api.bland.ai",
}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.once,
    pytest.mark.skipif(not shutil.which("jq"), reason="The commands need jq."),
]


@pytest.fixture
def smile(live_server, settings):
    settings.PUBLIC_URL = live_server.url
    business = factories.make_business(slug="smile-dental")
    factories.make_staff(business, services=[factories.make_service(business, name="Check-up")])
    return business


@pytest.fixture
def received():
    """A provider's API: its address, and the bodies that it gets."""
    bodies: list[dict] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PATCH = do_POST

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            serving.join()


def script(text: str) -> str:
    """The one block of commands that has `text`."""
    [block] = [one for one in code_blocks("agents") if one.startswith("```sh") and text in one]
    return "\n".join(block.splitlines()[1:-1])


def run(command: str, live_server, **environment: str) -> str:
    names = set(re.findall(r"\$([A-Z_0-9]{4,})", command))
    values = dict.fromkeys(names, "unused") | {"KAIVOX_URL": live_server.url} | environment
    done = subprocess.run(
        ["/bin/sh", "-ec", command],
        env={**os.environ, **values},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def address_and_headers(provider: str, tool: dict) -> tuple[str, dict]:
    """Where the provider calls a tool that it was sent, with which headers of the definition."""
    if provider == "vapi":
        return tool["server"]["url"], tool["server"]["headers"]
    if provider == "elevenlabs":
        schema = tool["tool_config"]["api_schema"]
        # Others are references to variables of the call, which ElevenLabs fills in.
        sent = {
            name: value for name, value in schema["request_headers"].items() if type(value) is str
        }
        return schema["url"], sent
    return tool["url"], tool.get("headers", {})


class TestGuides:
    @pytest.mark.parametrize("provider", CREATED)
    def test_create_tools_that_the_provider_can_call(self, provider, smile, live_server, received):
        ProviderAccount.objects.create(business=smile, provider=provider, secret=SECRET)
        address, bodies = received
        secrets = dict.fromkeys(
            ("VAPI_SERVER_SECRET", "ELEVENLABS_TOOL_SECRET", "BLAND_TOOL_SECRET"), SECRET
        )
        run(
            script(CREATED[provider]).replace(CREATED[provider], address),
            live_server,
            KAIVOX_API_KEY=factories.make_key(smile),
            **secrets,
        )
        tools = bodies[0]["general_tools"][:-1] if provider == "retell" else bodies
        assert len(tools) == len(TOOLS)
        url, headers = address_and_headers(provider, tools[0])
        body = json.dumps(
            {"message": {"type": "tool-calls", "toolCallList": [{"id": "1", "name": "business_info"}]}}
            if provider == "vapi"
            else {"call": {"call_id": "c1"}, "args": {}}
            if provider == "retell"
            else {}
        ).encode()  # fmt: skip
        if provider == "retell":
            headers = signature("retell", body, secret=SECRET, url=url, at=time.time())
        request = urllib.request.Request(
            url, body, {**headers, "Content-Type": "application/json"}, method="POST"
        )
        answer = urllib.request.urlopen(request, timeout=30).read().decode()
        assert smile.name in answer

    def test_sign_by_hand(self, smile, live_server):
        secret = new_secret()
        ProviderAccount.objects.create(business=smile, provider="kaivox", secret=secret)
        answer = json.loads(run(script("openssl dgst"), live_server, SECRET=secret))
        assert (answer["status"], answer["service"]["name"]) == ("ok", "Check-up")
