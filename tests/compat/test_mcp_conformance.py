"""The MCP project's own conformance suite, scenario by scenario.

Left out are scenarios of resources, prompts, sampling, elicitation and tasks, which the server does
not have, and those that call the tools of the suite's own example server.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import factories
from tests.compat.environments import is_installed, node_modules_of, skip_reason

CONFORMANCE = "mcp-conformance"
SCENARIOS = {
    "2025-03-26": ("server-session-lifecycle",),
    "2025-06-18": ("server-initialize", "tools-list"),
    "2025-11-25": ("server-initialize", "ping", "tools-list", "dns-rebinding-protection"),
    "2026-07-28": (
        "tools-list",
        "server-stateless",
        "server-sse-multiple-streams",
        "http-header-validation",
        "dns-rebinding-protection",
        "caching",
    ),
}
# Checks of lists that the server does not have.
NOT_OURS = {
    "sep-2549-prompts-list-caching-hints",
    "sep-2549-resources-list-caching-hints",
    "sep-2549-resources-templates-list-caching-hints",
}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.once,
    pytest.mark.skipif(not is_installed(CONFORMANCE), reason=skip_reason(CONFORMANCE)),
]


@pytest.fixture
def address(live_server):
    """The server's address through a proxy that adds the key, which the suite cannot send."""
    business = factories.make_business(slug="compat")
    key = factories.make_key(business)
    with ThreadingHTTPServer(("127.0.0.1", 0), proxy_to(live_server.url, key)) as proxy:
        url = f"http://127.0.0.1:{proxy.server_port}"
        business.cors_origins = [url]
        business.save()
        serving = threading.Thread(target=proxy.serve_forever)
        serving.start()
        try:
            yield f"{url}/mcp"
        finally:
            proxy.shutdown()
            serving.join()


def proxy_to(url: str, key: str) -> type[BaseHTTPRequestHandler]:
    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("connection", "content-length")
            }
            upstream = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
            upstream.request(
                self.command, self.path, body, headers | {"Authorization": f"Bearer {key}"}
            )
            response = upstream.getresponse()
            content = response.read()
            upstream.close()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = forward

        def log_message(self, *arguments):
            pass

    return Proxy


def run(scenario: str, revision: str, address: str, folder: Path) -> list[dict]:
    """The checks of a scenario."""
    modules = node_modules_of(CONFORMANCE)
    command = [
        modules / "node" / "bin" / "node",
        modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js",
        *("server", "--url", address, "--scenario", scenario),
        *("--spec-version", revision, "--output-dir", folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    results = list(folder.glob("*/checks.json"))
    assert results, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(results[0].read_text())


def is_failed(check: dict) -> bool:
    """Whether a check of something that the server has does not hold."""
    return (
        check["status"] in ("FAILURE", "WARNING")
        and check["id"] not in NOT_OURS
        and not check.get("errorMessage", "").startswith("Not testable")
    )


class TestConformance:
    @pytest.mark.parametrize("revision", SCENARIOS)
    def test_to_a_revision(self, address, tmp_path, revision):
        for scenario in SCENARIOS[revision]:
            checks = run(scenario, revision, address, tmp_path / scenario)
            assert checks
            assert [check for check in checks if is_failed(check)] == [], scenario
