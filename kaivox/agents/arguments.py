"""The arguments of a tool: declared once, as JSON Schema for models, and parsed leniently.

Models send numbers as text, empty texts for what they do not know, and unfilled template
placeholders. An argument that cannot be parsed is a ToolError that asks the caller again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolError
from kaivox.agents.speech import say

LONGEST_TEXT: Final = 500
_MAX_ID: Final = 2**63 - 1
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PLACEHOLDER = re.compile(r"\{\{.*\}\}|<.*>|null|none|undefined|n/a|unknown", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Argument:
    """`kind` is `string` or `integer`; `choices` of a string."""

    name: str
    description: str = ""
    kind: str = "string"
    required: bool = False
    choices: Sequence[str] = ()

    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = {"type": self.kind}
        if self.choices:
            found["enum"] = list(self.choices)
        if self.description:
            found["description"] = self.description
        return found


def input_schema(arguments: Sequence[Argument]) -> dict[str, Any]:
    """JSON Schema of an object with `arguments`."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {argument.name: argument.schema() for argument in arguments},
    }
    if required := [argument.name for argument in arguments if argument.required]:
        schema["required"] = required
    return schema


class Arguments:
    """The values of one tool call. Raises ToolError that asks again for what cannot be read."""

    def __init__(self, context: ToolContext, values: Mapping[str, Any]) -> None:
        self._context = context
        self._values = values

    def text(self, name: str, *, limit: int = LONGEST_TEXT) -> str:
        """The argument as text; empty where it was left out."""
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.unclear(name)
        text = _UNSTORABLE.sub("", str(value)).strip()
        if _PLACEHOLDER.fullmatch(text):
            return ""
        if len(text) > limit:
            raise self.unclear(name)
        return text

    def number(self, name: str) -> int | None:
        """The argument as an id; None where it was left out."""
        text = self.text(name)
        if not text:
            return None
        digits = text.removesuffix(".0")
        if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:20]) <= _MAX_ID):
            raise self.unclear(name)
        return int(digits)

    def unclear(self, name: str) -> ToolError:
        language = self._context.language
        sentence = say(language, "ask_again", field=language.fields.get(name, name))
        return ToolError("invalid_arguments", sentence, argument=name)
