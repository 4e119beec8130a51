"""One definition per tool, from which every provider's format is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaivox.agents.arguments import Argument, Arguments, input_schema
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolResult

Run = Callable[[ToolContext, Arguments], ToolResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`description` is written for a model. `scopes` are all required. `output` are the properties of
    the result beside `status` and `say`. A tool that is not `read_only` runs once per tool-call id."""

    name: str
    title: str
    description: str
    arguments: Sequence[Argument]
    output: Mapping[str, Any]
    scopes: Sequence[str]
    run: Run
    read_only: bool = False
    destructive: bool = False

    def is_allowed(self, context: ToolContext) -> bool:
        return all(context.has_scope(scope) for scope in self.scopes)

    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    def output_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "status": {"type": "string"},
                "say": {"type": "string"},
                **self.output,
            },
            "required": ["status", "say"],
        }

    def annotations(self) -> dict[str, Any]:
        """Hints of MCP."""
        return {
            "title": self.title,
            "readOnlyHint": self.read_only,
            "destructiveHint": self.destructive,
            "idempotentHint": True,
            "openWorldHint": False,
        }
