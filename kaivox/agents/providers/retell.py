"""Retell: custom functions.

docs.retellai.com/build/conversation-flow/custom-function (November 2026). The body is
`{"name", "call", "args"}`, or with *payload: args only* the arguments at the root. A retry has no id
of its own: the call's id and the arguments identify it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calls.call_report import UnparsableMessage, number_of, text_of
from calls.models import Direction
from calls.providers.incoming import Incoming, mapping_of
from kaivox.agents.providers import plain
from kaivox.agents.providers.tool_request import Answered, ToolRequest


def read(incoming: Incoming, tool: str) -> Sequence[ToolRequest]:
    body = incoming.json()
    call = mapping_of(body.get("call"))
    if "args" not in body and not call:
        return plain.read(incoming, tool)
    name = tool or text_of(body.get("name"), 60)
    if not name:
        raise UnparsableMessage("The body names no function.")
    theirs = "to_number" if call.get("direction") == Direction.OUTBOUND else "from_number"
    return [
        ToolRequest(
            tool=name,
            arguments=body.get("args", {}),
            provider_call_id=text_of(call.get("call_id"), 200)
            or plain.header(incoming, "X-Call-Id"),
            caller_phone=number_of(call.get(theirs)),
        )
    ]


def write(results: Sequence[Answered]) -> Any:
    return plain.write(results)
