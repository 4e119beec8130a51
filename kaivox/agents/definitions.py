"""The tools in each provider's own format, with this server's addresses: to paste, or to POST at the
provider. Secrets are placeholders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.conf import settings

from kaivox.agents.mcp_protocol import show_tool
from kaivox.agents.tools import Tool
from kaivox.businesses.models import Business

Definitions = list[dict[str, Any]]

# Providers wait so long; ours take a fraction of a second.
_TIMEOUT_SECONDS: Final = 10


def definitions(provider: str, business: Business, tools: Sequence[Tool]) -> Definitions:
    """`tools` as `provider` (one of PROVIDER_FORMATS) takes them."""
    make = PROVIDER_FORMATS[provider]
    return [make(tool, business) for tool in tools]


def _address(provider: str, business: Business, tool: Tool | None = None) -> str:
    path = f"/voice/{provider}/{business.slug}/tools"
    return f"{settings.PUBLIC_URL}{path}{f'/{tool.name}' if tool else ''}"


def _openai(tool: Tool, business: Business) -> dict[str, Any]:
    """Responses and Realtime API."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema(),
        "strict": False,
    }


def _anthropic(tool: Tool, business: Business) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.input_schema(),
    }


def _mcp(tool: Tool, business: Business) -> dict[str, Any]:
    return show_tool(tool)


def _vapi(tool: Tool, business: Business) -> dict[str, Any]:
    """`POST https://api.vapi.ai/tool`"""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.input_schema(),
        },
        "server": {
            "url": _address("vapi", business),
            "timeoutSeconds": _TIMEOUT_SECONDS,
            "headers": {"X-Vapi-Secret": "<secret>"},
        },
    }


def _retell(tool: Tool, business: Business) -> dict[str, Any]:
    """An item of `general_tools` of a Retell LLM. Retell signs with its API key."""
    return {
        "type": "custom",
        "name": tool.name,
        "description": tool.description,
        "url": _address("retell", business, tool),
        "method": "POST",
        "parameters": tool.input_schema(),
        "timeout_ms": _TIMEOUT_SECONDS * 1000,
        "speak_during_execution": not tool.read_only,
        "speak_after_execution": True,
    }


def _elevenlabs(tool: Tool, business: Business) -> dict[str, Any]:
    """`POST https://api.elevenlabs.io/v1/convai/tools`"""
    schema = tool.input_schema()
    del schema["type"]  # `object`: it can be nothing else
    # ElevenLabs refuses a property without a description.
    described = {
        name: {**value, "description": value.get("description", name.replace("_", " "))}
        for name, value in schema["properties"].items()
    }
    return {
        "tool_config": {
            "type": "webhook",
            "name": tool.name,
            "description": tool.description,
            "response_timeout_secs": _TIMEOUT_SECONDS,
            "api_schema": {
                "url": _address("elevenlabs", business, tool),
                "method": "POST",
                "request_headers": {
                    "Authorization": "Bearer <secret>",
                    "X-Call-Id": {"variable_name": "system__conversation_id"},
                    "X-Caller-Number": {"variable_name": "system__caller_id"},
                },
                "request_body_schema": {**schema, "properties": described},
            },
        }
    }


def _bland(tool: Tool, business: Business) -> dict[str, Any]:
    """`POST https://api.bland.ai/v1/tools`. Without a content type and timeout it is JSON, and Bland
    waits ten seconds."""
    schema = tool.input_schema()
    return {
        "name": f"kaivox_{tool.name}",
        "description": tool.description,
        "url": _address("bland", business, tool),
        "method": "POST",
        "headers": {"Authorization": "Bearer <secret>"},
        "input_schema": schema,
        "body": {
            "call_id": "{{call_id}}",
            "caller_number": "{{from}}",
            **{name: f"{{{{input.{name}}}}}" for name in schema["properties"]},
        },
        "response": {"say": "$.say", "status": "$.status"},
    }


PROVIDER_FORMATS: Final[Mapping[str, Callable[[Tool, Business], dict[str, Any]]]] = {
    "vapi": _vapi,
    "retell": _retell,
    "elevenlabs": _elevenlabs,
    "bland": _bland,
    "openai": _openai,
    "anthropic": _anthropic,
    "mcp": _mcp,
}
