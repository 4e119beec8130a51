"""One tool call as a provider sends it, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaivox.agents.results import ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """`arguments` are as they came, often not checked by anybody before."""

    tool: str
    arguments: Any
    tool_call_id: str = ""
    provider_call_id: str = ""
    caller_phone: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request with its result."""

    request: ToolRequest
    result: ToolResult
