"""Context of a tool call: business, phone call, caller, language, scopes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from kaivox.agents.sentences import ENGLISH, Language
from kaivox.businesses.auth.scopes import OVERRIDE_SCOPE, has_scope
from kaivox.businesses.models import Business

ANY_SCOPE: Final = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """`source` is the entry point: `mcp`, or the voice provider. `provider_call_id` and
    `tool_call_id` are the provider's own, empty where it sends none. `caller_phone` is the number
    that the provider sees. `scopes` are those of the API key; None: all of them, for requests
    that a provider's account has signed."""

    business: Business
    source: str
    now: datetime
    language: Language = ENGLISH
    provider_call_id: str = ""
    tool_call_id: str = ""
    caller_phone: str = ""
    scopes: Collection[str] | None = ANY_SCOPE

    @property
    def zone(self) -> ZoneInfo:
        return self.business.zone

    @property
    def is_phone_call(self) -> bool:
        """Whether a caller speaks, rather than a user of the business through an assistant."""
        return self.scopes is None or bool(self.provider_call_id or self.caller_phone)

    @property
    def today(self) -> date:
        """The present day in the business's zone."""
        return self.now.astimezone(self.zone).date()

    @property
    def overrides_window(self) -> bool:
        """Whether it may change appointments after the window of their service. Never in a phone
        call, where the caller asks for it, unless its key was issued with that scope."""
        return self.scopes is not None and OVERRIDE_SCOPE in self.scopes

    def has_scope(self, wanted: str) -> bool:
        """Whether the caller has `wanted`, directly or through a wider scope."""
        return self.scopes is None or has_scope(self.scopes, wanted)
