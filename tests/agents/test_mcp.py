"""`/mcp`: revisions, errors, scopes, and what is charged."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from appointments.models import Appointment
from kaivox.agents import requests
from kaivox.agents.mcp_protocol import REVISIONS
from kaivox.agents.tools import TOOLS
from kaivox.businesses.models import ApiKey
from ratelimits.limiter import Quota
from tests import factories
from tests.agents.ways import Mcp, McpStateless

pytestmark = pytest.mark.django_db

META = "io.modelcontextprotocol/"


@pytest.fixture
def line(clinic):
    return Mcp(clinic.business)


@pytest.fixture
def stateless(clinic):
    return McpStateless(clinic.business)


class TestRevisions:
    @pytest.mark.parametrize("revision", ("2025-11-25", "2025-06-18", "2025-03-26"))
    def test_with_a_handshake(self, line, revision):
        params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t"}}
        result = line.rpc("initialize", params).json()["result"]
        assert result["protocolVersion"] == revision
        assert result["serverInfo"]["name"] == "kaivox"
        response = line.post(
            "/mcp",
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"Authorization": f"Bearer {line.key}", "MCP-Protocol-Version": revision},
        )
        assert (response.status_code, response.content) == (202, b"")
        listed = line.rpc("tools/list", **{"MCP-Protocol-Version": revision})
        assert len(listed.json()["result"]["tools"]) == len(TOOLS)
        assert "resultType" not in listed.json()["result"]

    def test_that_is_unknown_gets_the_newest_with_a_handshake(self, line):
        result = line.rpc("initialize", {"protocolVersion": "1999-01-01"}).json()["result"]
        assert result["protocolVersion"] == "2025-11-25"

    def test_without_a_handshake(self, stateless):
        result = stateless.rpc("server/discover").json()["result"]
        assert result["supportedVersions"] == list(REVISIONS)
        assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
        result = stateless.rpc("tools/call", {"name": "business_info", "arguments": {}}).json()
        assert result["result"]["structuredContent"]["status"] == "ok"
        assert result["result"]["_meta"][f"{META}serverInfo"]["name"] == "kaivox"

    def test_in_a_header_that_is_not_supported(self, line):
        response = line.rpc("tools/list", **{"MCP-Protocol-Version": "1999-01-01"})
        assert response.status_code == 400
        assert response.json()["error"]["code"] == -32022
        assert response.json()["error"]["data"]["supported"] == list(REVISIONS)

    @pytest.mark.parametrize("name", ("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"))
    def test_headers_must_be_those_of_the_message(self, stateless, name):
        params = {"name": "business_info", "arguments": {}}
        response = stateless.rpc("tools/call", params, **{name: "other"})
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)

    @pytest.mark.parametrize("method", ("initialize", "ping", "prompts/list"))
    def test_without_a_handshake_have_fewer_methods(self, stateless, method):
        response = stateless.rpc(method)
        assert (response.status_code, response.json()["error"]["code"]) == (404, -32601)

    def test_with_a_handshake_carry_unknown_methods_in_a_200(self, line):
        response = line.rpc("prompts/list")
        assert (response.status_code, response.json()["error"]["code"]) == (200, -32601)


class TestListing:
    def test_shows_schemas_and_hints(self, line):
        tools = {one["name"]: one for one in line.rpc("tools/list").json()["result"]["tools"]}
        assert list(tools) == list(TOOLS)
        for tool in tools.values():
            assert tool["inputSchema"]["type"] == "object"
            assert tool["outputSchema"]["required"] == ["status", "say"]
        assert tools["find_times"]["annotations"]["readOnlyHint"] is True
        assert tools["cancel"]["annotations"]["destructiveHint"] is True

    def test_shows_what_the_key_may(self, line):
        line.key = factories.make_key(line.business, scopes=["appointments:read", "services:read"])
        names = [one["name"] for one in line.rpc("tools/list").json()["result"]["tools"]]
        assert names == ["business_info", "find_times"]
        result = line.call("book", service="Cleaning", start="tomorrow 10:00", name="A", phone="1")
        assert (result["status"], result["required_scope"]) == (
            "insufficient_scope",
            "appointments:write",
        )

    def test_names_the_narrowest_scope_that_would_do(self, line):
        line.key = factories.make_key(line.business, scopes=["services:read"])
        result = line.call("find_times", service="Cleaning", day="tomorrow")
        assert (result["status"], result["required_scope"]) == ("insufficient_scope", "slots:read")

    def test_is_limited_by_address(self, line, monkeypatch):
        monkeypatch.setattr(requests, "LISTING", Quota(per_minute=3))
        statuses = [line.rpc("tools/list").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert line.call("business_info")["status"] == "ok"


class TestAssistants:
    """Assistants of the staff, at no phone: neither a call's id nor one of the tool call."""

    @pytest.fixture
    def assistant(self, line):
        line.call_id = ""
        line.send = lambda tool, arguments, tool_call_id: line.rpc(
            "tools/call", {"name": tool, "arguments": arguments}
        ).json()["result"]["structuredContent"]
        return line

    def test_book_once_when_they_repeat_it(self, assistant):
        first = assistant.call(
            "book", service="Cleaning", start="tomorrow 10:00", name="Asha", phone="9876543210"
        )
        assert first["status"] == "ok"
        assert assistant.retry() == first
        assert Appointment.objects.count() == 1

    def test_change_any_appointment_by_its_id(self, assistant):
        appointment = factories.make_appointment(assistant.business)
        assert assistant.call("cancel", appointment_id=appointment.pk)["status"] == "ok"


class TestQuota:
    def test_is_charged_for_calls_of_tools_alone(self, line):
        for method in ("initialize", "tools/list", "server/discover", "ping"):
            assert "X-RateLimit-Remaining" not in line.rpc(method).headers
        response = line.rpc("tools/call", {"name": "business_info"})
        assert response["X-RateLimit-Remaining"] == "499"

    def test_used_up_is_429(self, line):
        line.business.plan = "starter"
        line.business.save()
        statuses = [
            line.rpc("tools/call", {"name": "business_info"}).status_code for _ in range(31)
        ]
        assert statuses == [200] * 30 + [429]
        response = line.rpc("tools/call", {"name": "business_info"})
        assert int(response["Retry-After"]) > 0
        assert response.json()["error"]["data"]["code"] == "rate_limit_exceeded"


class TestCallers:
    def test_without_a_key(self, clinic):
        response = APIClient().post("/mcp", {"jsonrpc": "2.0", "id": 7, "method": "tools/list"})
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")
        body = response.json()
        assert (body["id"], body["error"]["data"]["code"]) == (7, "missing_api_key")

    def test_with_a_wrong_key(self, line):
        line.key = "kv_live_" + "x" * 38
        response = line.rpc("tools/list")
        assert response.json()["error"]["data"]["code"] == "invalid_api_key"
        assert response.status_code == 401

    def test_of_a_suspended_business(self, line, clock):
        line.business.suspended_at = line.business.created_at
        line.business.save()
        assert line.rpc("tools/list").status_code == 403

    def test_from_a_page_that_the_business_does_not_know(self, line):
        assert line.rpc("tools/list", Origin="https://evil.example").status_code == 403
        line.business.cors_origins = ["https://book.example.com"]
        line.business.save()
        response = line.rpc("tools/list", Origin="https://book.example.com")
        assert response.status_code == 200
        assert response["Access-Control-Allow-Origin"] == "https://book.example.com"
        preflight = line.client.options(
            "/mcp",
            headers={
                "Origin": "https://book.example.com",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "mcp-method",
            },
        )
        assert "mcp-method" in preflight["Access-Control-Allow-Headers"]

    def test_never_reach_another_business(self, line, other_business):
        foreign = factories.make_appointment(other_business)
        result = line.call("cancel", appointment_id=foreign.pk, phone="9876543210")
        assert result["status"] == "not_found"
        assert ApiKey.objects.filter(business=other_business).count() == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "status", "code"),
        (
            (b"", 400, -32700),
            (b"not json", 400, -32700),
            (b"\xff\xfe", 400, -32700),
            (b"[" * 20_000, 400, -32700),
            (b"[]", 400, -32600),
            (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600),
            (b'{"id":1,"method":"ping"}', 400, -32600),
            (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":5}', 400, -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', 400, -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"nonsense"}', 200, -32601),
            (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', 200, -32602),
            (
                b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sing"}}',
                200,
                -32602,
            ),
            (
                b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
                b'"params":{"name":"book","arguments":7}}',
                200,
                -32602,
            ),
            (
                b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"y" * 70_000,
                413,
                -32600,
            ),
        ),
    )
    def test_is_a_json_rpc_error(self, line, body, status, code):
        response = line.post("/mcp", body, {"Authorization": f"Bearer {line.key}"})
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)

    @pytest.mark.parametrize("method", ("get", "put", "patch", "delete", "options"))
    def test_of_the_method_is_405(self, line, method):
        response = getattr(line.client, method)(
            "/mcp", headers={"Authorization": f"Bearer {line.key}"}
        )
        assert (response.status_code, response["Allow"]) == (405, "POST")

    def test_of_arguments_is_a_result(self, line):
        for arguments in ({"service": {"a": 1}}, {"service": [1]}, {"service": True}):
            assert line.call("find_times", **arguments)["status"] == "invalid_arguments"
        assert line.call("find_times", service="\x00\ud800")["status"] == "missing_argument"

    @pytest.mark.parametrize("identifier", (b"null", b"1e999", b"1.5", b"true"))
    def test_of_the_id_is_a_json_rpc_error(self, line, identifier):
        body = b'{"jsonrpc":"2.0","id":' + identifier + b',"method":"ping"}'
        response = line.post("/mcp", body, {"Authorization": f"Bearer {line.key}"})
        assert response.json()["error"]["code"] == -32600

    @pytest.mark.parametrize("depth", (10, 500, 20_000))
    def test_nested_deeply_is_an_error(self, line, depth):
        inner = b"[" * depth + b"]" * depth
        body = (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
            b'"params":{"name":"book","arguments":{"name":' + inner + b"}}}"
        )
        response = line.post("/mcp", body, {"Authorization": f"Bearer {line.key}"})
        body = response.json()
        if response.status_code == 200:
            assert body["result"]["isError"] is True
        else:  # deeper than JSON can be read here
            assert (response.status_code, body["error"]["code"]) == (400, -32700)

    def test_responses_are_accepted(self, line):
        body = {"jsonrpc": "2.0", "id": 1, "result": {}}
        response = line.post("/mcp", body, {"Authorization": f"Bearer {line.key}"})
        assert response.status_code == 202
