"""Tools as plain webhooks: ElevenLabs, Bland, and one's own engine.

The address names the tool and the body is its arguments, at the root or in `arguments`. The call's id
and the caller's number come in the headers `X-Call-Id` and `X-Caller-Number`, or beside the
arguments as `call_id` and `caller_number`; an id of the tool call, if any, in `Idempotency-Key` or
`tool_call_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calls.call_report import UnparsableMessage, number_of, text_of
from calls.providers.incoming import Incoming
from kaivox.agents.providers.tool_request import Answered, ToolRequest


def read(incoming: Incoming, tool: str) -> Sequence[ToolRequest]:
    body = incoming.json() if incoming.body.strip() else {}
    if not tool:
        raise UnparsableMessage("The address names no tool.")
    call_id, caller = body.pop("call_id", None), body.pop("caller_number", None)
    tool_call_id = body.pop("tool_call_id", None)
    return [
        ToolRequest(
            tool=tool,
            arguments=body.get("arguments", body),
            tool_call_id=header(incoming, "Idempotency-Key") or text_of(tool_call_id, 200),
            provider_call_id=header(incoming, "X-Call-Id") or _filled(call_id),
            caller_phone=number_of(header(incoming, "X-Caller-Number") or _filled(caller)),
        )
    ]


def write(results: Sequence[Answered]) -> Any:
    return results[0].result.as_dict()


def header(incoming: Incoming, name: str) -> str:
    """A header that the provider fills in; empty where its template was left as it was."""
    return _filled(incoming.header(name))


def _filled(value: Any) -> str:
    text = text_of(value, 200)
    return "" if "{{" in text else text
