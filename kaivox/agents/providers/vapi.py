"""Vapi: the server message `tool-calls`, several calls in one message.

docs.vapi.ai/server-url/events and /tools/custom-tools (November 2026). The response has a result for
each `toolCallId`, as text on one line; its status is 200, or Vapi ignores it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from calls.call_report import UnparsableMessage, number_of, text_of
from calls.providers.incoming import Incoming, items_of, mapping_of
from kaivox.agents.providers.tool_request import Answered, ToolRequest

_MOST: Final = 20


def is_tool_calls(incoming: Incoming) -> bool:
    """Whether the message is about tools; others are about calls."""
    try:
        message = mapping_of(incoming.json().get("message"))
    except UnparsableMessage:
        return False
    return message.get("type") == "tool-calls"


def read(incoming: Incoming, tool: str) -> Sequence[ToolRequest]:
    message = mapping_of(incoming.json().get("message"))
    items = items_of(message.get("toolCallList")) or [
        mapping_of(item.get("toolCall"))
        for item in items_of(message.get("toolWithToolCallList"))
    ]  # fmt: skip
    if message.get("type") != "tool-calls" or not items:
        raise UnparsableMessage("The message has no tool calls.")
    call = mapping_of(message.get("call"))
    customer = mapping_of(message.get("customer") or call.get("customer"))
    return [
        ToolRequest(
            tool=text_of(_named(item).get("name"), 60) or tool,
            arguments=_arguments(item),
            tool_call_id=text_of(item.get("id"), 200),
            provider_call_id=text_of(call.get("id"), 200),
            caller_phone=number_of(customer.get("number")),
        )
        for item in items[:_MOST]
    ]


def write(results: Sequence[Answered]) -> Any:
    return {
        "results": [
            {
                "toolCallId": one.request.tool_call_id,
                "name": one.request.tool,
                "result": one.result.as_json(),
            }
            for one in results
        ]
    }


def _named(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object with name and arguments: `function`, in older messages the root."""
    function = mapping_of(item.get("function"))
    return function if function.get("name") else item


def _arguments(item: Mapping[str, Any]) -> Any:
    """`arguments`, or `parameters` in newer messages; an object, or its JSON as text."""
    named = _named(item)
    for name in ("arguments", "parameters"):
        for where in (named, item):
            if name in where and where[name] is not None:
                return where[name]
    return {}
