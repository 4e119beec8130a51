"""The MCP server with the clients in common use: both major versions of the official SDK, fastmcp."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from appointments.models import Appointment
from calls.models import ToolCall
from kaivox.agents.tools import TOOLS
from tests import factories
from tests.compat.environments import is_installed, python_of, skip_reason

CLIENT_SCRIPTS = Path(__file__).parent / "clients"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def saw(live_server):
    """Runs a client against a server with one service; what it printed."""
    business = factories.make_business(slug="compat")
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, name="Dr. Anil Sharma", services=[service])
    key = factories.make_key(business)

    def run(environment: str, script: str, *more: str) -> dict:
        if not is_installed(environment):
            pytest.skip(skip_reason(environment))
        command = [
            python_of(environment),
            CLIENT_SCRIPTS / script,
            f"{live_server.url}/mcp",
            key,
            *more,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


def check(seen):
    assert seen["tools"] == list(TOOLS)
    assert seen["booked"]["status"] == "ok"
    assert seen["refused"] == [True, "unknown_service"]
    assert "Unknown tool" in seen["unknown"]
    assert Appointment.objects.count() == 1
    assert set(ToolCall.objects.values_list("provider_call_id", flat=True)) == {"compat"}


class TestOfficialSdk:
    def test_1(self, saw):
        seen = saw("mcp-1", "mcp_1.py")
        assert seen["revision"] == "2025-11-25"
        check(seen)

    def test_2_without_a_handshake(self, saw):
        seen = saw("mcp-2", "mcp_2.py", "auto")
        assert seen["revision"] == "2026-07-28"
        check(seen)

    def test_2_with_a_handshake(self, saw):
        seen = saw("mcp-2", "mcp_2.py", "legacy")
        assert seen["revision"] == "2025-11-25"
        check(seen)


class TestFastmcp:
    def test_books(self, saw):
        check(saw("fastmcp", "fastmcp_client.py"))
