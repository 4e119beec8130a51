"""Voice providers that call tools while a phone call lasts.

One module each, with `read(incoming, tool)`: the tool calls of a request, in order, and
`write(results)`: the body of the response. `tool` is the one that the address names, if any. Raises
`calls.call_report.UnparsableMessage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from calls.providers.incoming import Incoming
from kaivox.agents.providers import plain, retell, vapi
from kaivox.agents.providers.tool_request import Answered, ToolRequest


class ToolProviderModule(Protocol):
    def read(self, incoming: Incoming, tool: str) -> Sequence[ToolRequest]: ...

    def write(self, results: Sequence[Answered]) -> Any: ...


PROVIDERS: Final[Mapping[str, ToolProviderModule]] = {
    "vapi": vapi,
    "retell": retell,
    "elevenlabs": plain,
    "bland": plain,
    "kaivox": plain,
}

__all__ = ["PROVIDERS", "Answered", "ToolRequest"]
