"""What a tool returns: data for the agent, and one or two sentences to read aloud."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`status` is `ok` or an error code; `customer_id` is whom the call was about, for the record."""

    say: str
    status: str = OK
    data: Mapping[str, Any] = field(default_factory=dict)
    customer_id: int | None = None

    @property
    def is_error(self) -> bool:
        return self.status != OK

    def as_dict(self) -> dict[str, Any]:
        return {"status": self.status, "say": self.say, **self.data}

    def as_json(self) -> str:
        """One line, compact."""
        return json.dumps(self.as_dict(), ensure_ascii=False, separators=(",", ":"))


class ToolError(Exception):
    """The tool cannot do it, and its result says what to ask the caller next."""

    def __init__(
        self,
        status: str,
        say: str,
        *,
        customer_id: int | None = None,
        **data: Any,
    ) -> None:
        super().__init__(status)
        self.result = ToolResult(say, status, data, customer_id)
