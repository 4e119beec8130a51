"""Which voice providers are there? One small module each, with two functions.

`is_signed(incoming, secret, now)`: whether the message was signed with the account's secret.
`read(incoming)`: what it tells, as a CallReport, or None where it tells nothing about a call.
Raises Unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from calls.models import Provider
from calls.providers import engine, retell, twilio, vapi, vobiz
from calls.providers.incoming import Incoming
from calls.report import CallReport


class ProviderModule(Protocol):
    def is_signed(self, incoming: Incoming, secret: str, now: datetime) -> bool: ...

    def read(self, incoming: Incoming) -> CallReport | None: ...


PROVIDERS: Final[Mapping[str, ProviderModule]] = {
    Provider.KAIVOX: engine,
    Provider.TWILIO: twilio,
    Provider.VOBIZ: vobiz,
    Provider.VAPI: vapi,
    Provider.RETELL: retell,
}
