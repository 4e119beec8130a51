"""The tools in each provider's format, the command that prints them, and what leads to them."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import jsonschema_rs
import pytest
from django.core.management import CommandError, call_command

from kaivox.agents.definitions import PROVIDER_FORMATS, definitions
from kaivox.agents.tools import TOOLS
from tests import factories
from tests.agents.ways import ElevenLabs, Vapi

pytestmark = pytest.mark.django_db

ENDPOINT = "/api/v1/agents/tools"
DOCS = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()


class TestDefinitions:
    @pytest.mark.parametrize("provider", PROVIDER_FORMATS)
    def test_of_each_provider(self, client, business, provider):
        body = client.get(f"{ENDPOINT}?provider={provider}").json()
        assert body["data"] == definitions(provider, business, list(TOOLS.values()))

    @pytest.mark.parametrize("provider", ("vapi", "retell", "elevenlabs", "bland"))
    def test_name_addresses_of_this_server(self, business, provider, settings):
        settings.PUBLIC_URL = "https://api.example.com"
        text = json.dumps(definitions(provider, business, [TOOLS["book"]]))
        assert f"https://api.example.com/voice/{provider}/smile/tools" in text

    def test_the_docs_name_every_tool_with_its_scopes(self):
        table = DOCS.partition("## What a tool returns")[0]
        rows = re.findall(r"^\| `(\w+)` \| .+ \| ([^|]+) \|$", table, re.M)
        documented = {name: re.findall(r"`([\w:]+)`", scopes) for name, scopes in rows}
        assert documented == {name: list(tool.scopes) for name, tool in TOOLS.items()}

    @pytest.mark.parametrize("provider", PROVIDER_FORMATS)
    def test_are_small(self, business, provider):
        text = json.dumps(
            definitions(provider, business, list(TOOLS.values())), separators=(",", ":")
        )
        assert len(text) <= 8_000

    def test_are_those_that_the_key_may_use(self, business, client_of):
        client = client_of(factories.make_key(business, scopes=["services:read"]))
        names = [one["name"] for one in client.get(f"{ENDPOINT}?provider=openai").json()["data"]]
        assert names == ["business_info"]

    def test_without_a_provider_names_the_choices(self, client):
        assert client.get(ENDPOINT).status_code == 422
        response = client.get(f"{ENDPOINT}?provider=siri")
        assert response.status_code == 422
        assert "provider" in response.json()["errors"]

    @pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
    def test_have_valid_schemas(self, tool):
        jsonschema_rs.meta.validate(tool.input_schema())
        jsonschema_rs.meta.validate(tool.output_schema())


class TestOutput:
    def test_is_as_the_schema_says(self, clinic):
        line = Vapi(clinic.business, phone="+919876543210")
        for name, arguments in (
            ("business_info", {}),
            ("find_times", {"service": "Cleaning", "day": "tomorrow"}),
            ("hold_time", {"service": "Cleaning", "start": "tomorrow 11:00"}),
            ("book", {"service": "Cleaning", "start": "tomorrow 10:00", "name": "Asha"}),
            ("book", {"service": "Cleaning", "start": "2020-01-01 10:00", "name": "Asha"}),
            ("find_appointments", {}),
            ("confirm_appointment", {"answer": "yes"}),
            ("reschedule", {"start": "tomorrow 15:00"}),
            ("cancel", {}),
            ("join_waitlist", {"service": "Root Canal", "day": "tomorrow"}),
            ("customer_by_phone", {}),
            ("customer_by_phone", {"phone": "+919000011111"}),
            ("take_message", {"message": "hello"}),
        ):
            result = line.call(name, **arguments)
            jsonschema_rs.validate(TOOLS[name].output_schema(), result)


class TestElevenLabsDefinition:
    def test_describes_every_property(self, business):
        for one in definitions("elevenlabs", business, list(TOOLS.values())):
            schema = one["tool_config"]["api_schema"]["request_body_schema"]
            assert all(value["description"] for value in schema["properties"].values())

    def test_is_what_the_address_takes(self, clinic):
        (found,) = definitions("elevenlabs", clinic.business, [TOOLS["find_times"]])
        url = found["tool_config"]["api_schema"]["url"]
        line = ElevenLabs(clinic.business)
        path = url.partition("/voice/")[2]
        response = line.post(
            f"/voice/{path}", {"service": "Cleaning"}, {"Authorization": f"Bearer {line.secret}"}
        )
        assert response.json()["status"] == "ok"


class TestCommand:
    def test_prints_json(self, business):
        out = StringIO()
        call_command("agent_tools", business="smile", provider="vapi", stdout=out)
        assert json.loads(out.getvalue()) == definitions("vapi", business, list(TOOLS.values()))

    def test_prints_one_tool_alone(self, business):
        out = StringIO()
        call_command("agent_tools", business="smile", provider="openai", tool="book", stdout=out)
        assert json.loads(out.getvalue())["name"] == "book"

    def test_names_an_unknown_business(self, db):
        with pytest.raises(CommandError, match="no business"):
            call_command("agent_tools", business="unknown", provider="vapi")


class TestDiscovery:
    def test_the_catalogue_is_a_linkset(self, client):
        response = client.get("/.well-known/api-catalog")
        assert response["Content-Type"].startswith("application/linkset+json")
        anchors = [one["anchor"] for one in response.json()["linkset"]]
        assert [anchor.rpartition("/")[2] or "v1" for anchor in anchors] == ["v1", "mcp"]

    def test_what_it_links_to_is_there(self, client, settings):
        for one in client.get("/.well-known/api-catalog").json()["linkset"]:
            for relation in ("service-desc", "service-doc", "status"):
                for link in one.get(relation, ()):
                    path = link["href"].removeprefix(settings.PUBLIC_URL)
                    assert client.get(path).status_code == 200, path

    def test_the_skill_names_every_tool(self, client):
        text = client.get("/SKILL.md").content.decode()
        assert text.startswith("---\nname: ")
        assert all(f"`{name}`" in text for name in TOOLS)

    def test_the_full_text_has_every_page(self, client):
        text = client.get("/llms-full.txt").content.decode()
        assert "# Voice" in text
        assert "# AI agents" in text
