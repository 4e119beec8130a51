"""Checks definitions of tools with the providers' own SDKs. Reads `{provider: [definition]}`, and prints
what does not fit: `{provider: [message]}`."""

import importlib
import json
import sys

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, with_config

# The type of one item that each provider's SDK sends, and the module that has it.
TYPES = {
    "vapi": ("vapi.tools.types.create_tools_request", "CreateToolsRequest_Function"),
    "retell": ("retell.types.llm_create_params", "GeneralToolCustomTool"),
    "elevenlabs": ("elevenlabs.types.tool_request_model", "ToolRequestModel"),
    "openai": ("openai.types.responses.function_tool_param", "FunctionToolParam"),
    "anthropic": ("anthropic.types.tool_param", "ToolParam"),
}


def errors_of(provider, definition):
    module, name = TYPES[provider]
    kind = getattr(importlib.import_module(module), name)
    if not issubclass(kind, BaseModel):
        kind = with_config(ConfigDict(extra="forbid"))(kind)
    try:
        made = TypeAdapter(kind).validate_python(definition)
    except ValidationError as error:
        return [f"{definition.get('name')}: {error}"]
    return [f"{definition.get('name')}: unknown {path}" for path in unknown(made, "")]


def unknown(value, path):
    """The fields that the SDK's models do not have."""
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or {})
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from unknown(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from unknown(inner, path)


print(
    json.dumps(
        {
            provider: [message for one in definitions for message in errors_of(provider, one)]
            for provider, definitions in json.load(sys.stdin).items()
        }
    )
)
