"""The ways in, each as a provider uses it: a caller in a test speaks to all of them alike."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime

from django.utils import timezone
from rest_framework.test import APIClient

from calls.models import ProviderAccount
from kaivox.agents.definitions import definitions
from kaivox.agents.tools import TOOLS
from tests.calls.providers import signature
from tests.factories import make_key
from webhooks.signing import new_secret

NOW = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)  # a Tuesday, 10:30 in Kolkata
JSON = "application/json"
_numbers = itertools.count(1)


class Way:
    """One phone call. `call` returns the tool's result; `retry` sends the last call again, as it was."""

    name = ""

    def __init__(self, business, *, phone: str = "", language: str = ""):
        self.business, self.phone = business, phone
        self.call_id = f"call-{next(_numbers)}"
        self.query = f"?language={language}" if language else ""
        self.client = APIClient()
        self.last = None
        self.set_up()

    def set_up(self) -> None:
        """Makes the account or key that the way needs."""

    def call(self, tool: str, **arguments) -> dict:
        self.last = (tool, arguments, f"tc-{next(_numbers)}")
        return self.send(*self.last)

    def retry(self) -> dict:
        return self.send(*self.last)

    def send(self, tool, arguments, tool_call_id) -> dict:
        raise NotImplementedError

    def account(self, provider: str, secret: str) -> str:
        account, _ = ProviderAccount.objects.get_or_create(
            business=self.business, provider=provider, defaults={"secret": secret}
        )
        return account.secret

    def post(self, path: str, body, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, raw, content_type=JSON, headers=headers or {})

    def signed(self, provider: str, path: str, body, secret: str):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        at = timezone.now().timestamp()
        url = f"http://testserver{path}"
        return self.post(path, raw, signature(provider, raw, secret=secret, url=url, at=at))


class Mcp(Way):
    name = "mcp"

    def set_up(self) -> None:
        self.key = make_key(self.business)

    def rpc(self, method: str, params=None, **headers):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        about = {"Authorization": f"Bearer {self.key}", "X-Call-Id": self.call_id}
        if self.phone:
            about["X-Caller-Number"] = self.phone
        return self.post(f"/mcp{self.query}", body, about | headers)

    def send(self, tool, arguments, tool_call_id) -> dict:
        response = self.rpc(
            "tools/call",
            {"name": tool, "arguments": arguments},
            **{"Idempotency-Key": tool_call_id},
        )
        assert response.status_code == 200, response.content
        result = response.json()["result"]
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        assert result["isError"] is (result["structuredContent"]["status"] != "ok")
        return result["structuredContent"]


class McpStateless(Mcp):
    """Revision 2026-07-28, which has no handshake: every message names its revision."""

    name = "mcp-stateless"

    def rpc(self, method: str, params=None, **headers):
        prefix = "io.modelcontextprotocol/"
        meta = {f"{prefix}protocolVersion": "2026-07-28", f"{prefix}clientCapabilities": {}}
        named = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if params and "name" in params:
            named["Mcp-Name"] = params["name"]
        return super().rpc(method, {**(params or {}), "_meta": meta}, **(named | headers))


class Vapi(Way):
    name = "vapi"
    path = "tools"

    def set_up(self) -> None:
        self.secret = self.account("vapi", "vapi-secret")

    def message(self, *calls) -> dict:
        message = {"type": "tool-calls", "toolCallList": list(calls), "call": {"id": self.call_id}}
        if self.phone:
            message["customer"] = {"number": self.phone}
        return {"message": message}

    def address(self) -> str:
        return f"/voice/vapi/{self.business.slug}{'/tools' if self.path else ''}{self.query}"

    def send(self, tool, arguments, tool_call_id) -> dict:
        item = {
            "id": tool_call_id,
            "type": "function",
            "function": {"name": tool, "arguments": json.dumps(arguments)},
        }
        response = self.signed("vapi", self.address(), self.message(item), self.secret)
        assert response.status_code == 200, response.content
        (result,) = response.json()["results"]
        assert result["toolCallId"] == tool_call_id
        assert isinstance(result["result"], str)
        assert "\n" not in result["result"]
        return json.loads(result["result"])


class VapiServerUrl(Vapi):
    """At the address that also takes messages about calls; arguments as `parameters`."""

    name = "vapi-server-url"
    path = ""

    def send(self, tool, arguments, tool_call_id) -> dict:
        item = {"id": tool_call_id, "name": tool, "parameters": arguments}
        response = self.signed("vapi", self.address(), self.message(item), self.secret)
        assert response.status_code == 200, response.content
        return json.loads(response.json()["results"][0]["result"])


class Retell(Way):
    name = "retell"

    def set_up(self) -> None:
        self.secret = self.account("retell", "key_retell")

    def send(self, tool, arguments, tool_call_id) -> dict:
        call = {"call_id": self.call_id, "from_number": self.phone, "direction": "inbound"}
        path = f"/voice/retell/{self.business.slug}/tools{self.query}"
        body = {"name": tool, "call": call, "args": arguments}
        response = self.signed("retell", path, body, self.secret)
        assert response.status_code == 200, response.content
        return response.json()


class Plain(Way):
    """Arguments at the root, the call in headers, a bearer token."""

    provider = ""

    def set_up(self) -> None:
        self.secret = self.account(self.provider, f"{self.provider}-token")

    def send(self, tool, arguments, tool_call_id) -> dict:
        path = f"/voice/{self.provider}/{self.business.slug}/tools/{tool}{self.query}"
        headers = {"Authorization": f"Bearer {self.secret}", "X-Call-Id": self.call_id}
        if self.phone:
            headers["X-Caller-Number"] = self.phone
        response = self.post(path, arguments, headers)
        assert response.status_code == 200, response.content
        return response.json()


class ElevenLabs(Plain):
    name = provider = "elevenlabs"


class Bland(Plain):
    """The body is that of the tool's definition, with its variables filled in as far as they are known."""

    name = provider = "bland"

    def send(self, tool, arguments, tool_call_id) -> dict:
        [made] = (
            definitions("bland", self.business, [TOOLS[tool]]) if tool in TOOLS else [{"body": {}}]
        )
        known = {"{{call_id}}": self.call_id, "{{from}}": self.phone}
        known |= {f"{{{{input.{name}}}}}": value for name, value in arguments.items()}
        body = arguments | {name: known.get(value, value) for name, value in made["body"].items()}
        path = f"/voice/bland/{self.business.slug}/tools/{tool}{self.query}"
        response = self.post(path, body, {"Authorization": f"Bearer {self.secret}"})
        assert response.status_code == 200, response.content
        return response.json()


class Engine(Way):
    name = "kaivox"

    def set_up(self) -> None:
        self.secret = self.account("kaivox", new_secret())

    def send(self, tool, arguments, tool_call_id) -> dict:
        path = f"/voice/kaivox/{self.business.slug}/tools/{tool}{self.query}"
        body = {"arguments": arguments, "call_id": self.call_id, "tool_call_id": tool_call_id}
        if self.phone:
            body["caller_number"] = self.phone
        response = self.signed("kaivox", path, body, self.secret)
        assert response.status_code == 200, response.content
        return response.json()


WAYS = (Mcp, McpStateless, Vapi, VapiServerUrl, Retell, ElevenLabs, Bland, Engine)
